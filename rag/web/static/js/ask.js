// The conversation: sends a question, follows its events, and keeps the turns that a follow-up is sent with.
import * as api from "./api.js";
import { turnView } from "./answer.js";
import { announce } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { ours } from "./problem.js";
import { advance, begin, fail, history, isOver, stop } from "./turn.js";

/** What is said to a screen reader when a turn comes into a state; pieces of the text are not. */
function say(turn) {
  const phrases = {
    reading: () => t("say.reading", { count: turn.passages.length }),
    starting: () => t("say.instant", { text: turn.verdict.citation.text }),
    writing: () => t("status.writing"),
    done: () => t("say.done", { text: turn.answer.text }),
    stopped: () => t("status.stopped"),
  };
  announce(phrases[turn.status]?.() ?? "");
}

/**
 * `form` has the question and the two buttons, `list` takes the turns. `filter` has the condition to search within, `open`
 * opens the reader, `refused` is told of problems that concern the whole page.
 */
export function conversation({ form, list, filter, open, refused }) {
  const [field, send, halt] = ["question", "send", "stop"].map((name) => form.elements[name]);
  const entries = []; // each {turn, view}
  let connection = null;

  function change(entry, next) {
    const growing = entry.turn.status === "writing" && next.status === "writing";
    const moved = entry.turn.status !== next.status;
    entry.turn = next;
    if (growing) return entry.view.grow(next);
    if (moved) say(next);
    return entry.view.show(next);
  }

  async function follow(entry, before) {
    const { question, where } = entry.turn;
    const options = { where, history: history(before), signal: connection.signal };
    try {
      for await (const { kind, data } of api.ask(question, options)) change(entry, advance(entry.turn, kind, data));
      return isOver(entry.turn) || change(entry, fail(entry.turn, ours("problem.cut")));
    } catch (error) {
      if (error.name === "AbortError") return change(entry, stop(entry.turn));
      if (isOver(entry.turn)) return undefined; // the answer is there whole; how its connection ended matters no more
      change(entry, fail(entry.turn, error));
      return refused(error);
    }
  }

  function busy(is) {
    send.hidden = is;
    halt.hidden = !is;
    document.body.dataset.asked = entries.length ? "yes" : "no";
  }

  async function submit() {
    const question = field.value.trim();
    if (!question || connection) return;
    const before = entries.map(({ turn }) => turn);
    const turn = begin(question, filter.condition(), filter.words());
    const entry = { turn, view: turnView(open) };
    entries.push(entry);
    entry.view.show(turn);
    list.append(entry.view.node);
    field.value = "";
    connection = new AbortController();
    busy(true);
    entry.view.node.scrollIntoView({ block: "start" });
    await follow(entry, before);
    connection = null;
    busy(false);
  }

  /** Ends the answer that is being written; false where none is. */
  function end() {
    if (!connection) return false;
    connection.abort();
    field.focus();
    return true;
  }

  /** Forget what was said. */
  function clear() {
    end();
    entries.length = 0;
    list.replaceChildren();
    busy(false);
    field.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  halt.addEventListener("click", end);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  onLanguage(() => entries.forEach(({ turn, view }) => view.show(turn)));
  busy(false);
  return { end, clear, focus: () => field.focus() };
}
