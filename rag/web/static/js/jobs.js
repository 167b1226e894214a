// Rebuilds of the index: each is followed until it ends, and shown as a line with a progress bar.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { words } from "./problem.js";

// Milliseconds until a job is requested again after its stream was cut.
const PAUSE = 1000;

export const hasEnded = (job) => ["done", "failed"].includes(job.state);

/** The stage of a job in words. A stage without a phrase is shown under its name in the service. */
export function stageWords(job, phrase) {
  if (job.state === "waiting" || job.state === "done") return phrase(`job.${job.state}`);
  if (job.state === "failed") return job.problem ? words(job.problem) : phrase("job.failed");
  const known = ["read", "embed"].find((stage) => job.stage?.startsWith(stage));
  return known ? phrase(`job.${known}`) : job.stage || phrase("job.running");
}

/** The result of a finished job in words. */
export function outcome(job, phrase) {
  const count = job.report?.failures.length;
  return [stageWords(job, phrase), count && phrase("unread.title", { count })].filter(Boolean).join(". ");
}

function line(job) {
  const counted = job.state === "running" && job.total > 0;
  const count = counted && t("job.count", { done: job.done, total: job.total });
  const said = [stageWords(job, t), count].filter(Boolean).join(" · ");
  const size = counted ? { max: job.total, value: job.done } : {};
  return el(
    "li",
    { class: "job", "data-state": job.state },
    el("p", {}, job.state === "failed" ? icon("warning") : null, said),
    hasEnded(job) ? null : el("progress", { ...size, "aria-label": said }),
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

/** Each followed job has a line in `list`. `onEnd` is called when one ends. */
export class Jobs {
  #list;
  #onEnd;
  #following = new Map();

  constructor(list, onEnd) {
    this.#list = list;
    this.#onEnd = onEnd;
    onLanguage(() => this.#draw());
  }

  /** Follow a job until it ends. The line of a successful job is removed: unreadable files have a list of their own. */
  async follow(job) {
    if (this.#following.has(job.id)) return;
    this.#show(job);
    try {
      for await (const state of states(job.id)) this.#show(state);
    } catch (problem) {
      this.#show({ ...job, state: "failed", problem });
    }
    const last = this.#following.get(job.id);
    announce(outcome(last, t));
    if (last.state === "done") this.#following.delete(job.id);
    this.#draw();
    this.#onEnd();
  }

  /** Follow the jobs that were started elsewhere. */
  async resume() {
    const { items } = await api.jobs();
    items.filter((job) => !hasEnded(job)).forEach((job) => this.follow(job));
  }

  #show(job) {
    this.#following.set(job.id, job);
    this.#draw();
  }

  #draw() {
    redraw(this.#list, [...this.#following.values()].map(line));
  }
}
