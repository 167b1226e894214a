// The rebuild of the index, followed until it has ended, with a line and a bar for each.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { t } from "./i18n.js";
import { failure } from "./problem.js";

// Milliseconds until a job is asked for again where its stream was cut.
const PAUSE = 1000;

export const hasEnded = (job) => ["done", "failed"].includes(job.state);

/** What a job is at, in words. Stages that we have no words for are shown as the service calls them. */
export function stageWords(job, phrase) {
  if (job.state === "waiting" || job.state === "done") return phrase(`job.${job.state}`);
  if (job.state === "failed") return job.problem?.detail || phrase("job.failed");
  const known = ["read", "embed"].find((stage) => job.stage?.startsWith(stage));
  return known ? phrase(`job.${known}`) : job.stage || phrase("job.running");
}


/** The documents that a finished job had to leave out, a line each. */
export const failures = (job) => job.report?.failures ?? [];

function line(job) {
  const counted = job.state === "running" && job.total > 0;
  const count = counted && t("job.count", { done: job.done, total: job.total });
  const words = [stageWords(job, t), count].filter(Boolean).join(" · ");
  const size = counted ? { max: job.total, value: job.done } : {};
  return el(
    "li",
    { class: "job", "data-state": job.state },
    el("p", {}, job.state === "failed" ? icon("warning") : null, words),
    hasEnded(job) ? null : el("progress", { ...size, "aria-label": words }),
    failures(job).map((text) => failure(text)),
  );
}

async function* states(id) {
  for (;;) {
    try {
      for await (const { data } of api.job(id)) {
        yield data;
        if (hasEnded(data)) return;
      }
    } catch (error) {
      if (error.status !== 0) throw error;
    }
    await new Promise((resume) => setTimeout(resume, PAUSE));
  }
}

/** `list` takes a line for each job that is followed; `ended` is told when one has. */
export function jobs(list, ended) {
  const following = new Map();

  const draw = () => redraw(list, [...following.values()].map(line));

  async function follow(job) {
    if (following.has(job.id)) return;
    following.set(job.id, job);
    draw();
    try {
      for await (const state of states(job.id)) {
        following.set(job.id, state);
        draw();
      }
    } catch (error) {
      following.set(job.id, { ...job, state: "failed", problem: error });
      draw();
    }
    const last = following.get(job.id);
    announce(stageWords(last, t));
    if (last.state === "done" && !failures(last).length) following.delete(job.id);
    draw();
    ended(last);
  }

  /** Follow what was begun elsewhere. */
  async function resume() {
    const { items } = await api.jobs();
    items.filter((job) => !hasEnded(job)).forEach(follow);
  }
  return { follow, resume, draw };
}
