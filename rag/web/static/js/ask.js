// The conversation: sends a question, follows its events, and keeps the turns that a follow-up is sent with.
import * as api from "./api.js";
import { TurnView } from "./answer.js";
import { announce } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { ours } from "./problem.js";
import { advance, begin, fail, history, isOver, stop } from "./turn.js";

/** What is said to a screen reader when a turn comes into a state; pieces of the text are not. */
function say(turn) {
  const phrases = {
    reading: () => t("say.reading", { count: turn.passages.length }),
    waiting: () => t("status.waiting", { count: turn.before }),
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
export class Conversation {
  #field;
  #parts;
  #entries = []; // each {turn, view}
  #connection = null;

  constructor({ form, list, filter, open, refused }) {
    const [field, send, halt] = ["question", "send", "stop"].map((name) => form.elements[name]);
    this.#field = field;
    this.#parts = { send, halt, list, filter, open, refused };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    halt.addEventListener("click", () => this.end());
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    onLanguage(() => this.#entries.forEach(({ turn, view }) => view.show(turn)));
  }

  focus() {
    this.#field.focus();
  }

  /** Ends the answer that is being written; false where none is. */
  end() {
    if (!this.#connection) return false;
    this.#connection.abort();
    this.focus();
    return true;
  }

  /** Forget what was said. */
  clear() {
    this.end();
    this.#entries = [];
    this.#parts.list.replaceChildren();
    this.#showBusy();
    this.focus();
  }

  async #submit() {
    const question = this.#field.value.trim();
    if (!question || this.#connection) return;
    this.#field.value = "";
    await this.#ask(question);
  }

  async #ask(question) {
    if (this.#connection) return;
    const { filter, open, list } = this.#parts;
    const before = this.#entries.map(({ turn }) => turn);
    const entry = { turn: begin(question, filter.condition(), filter.words()), view: new TurnView(open, () => this.#again(entry)) };
    this.#entries.push(entry);
    entry.view.show(entry.turn);
    list.append(entry.view.node);
    filter.fold();
    this.#connection = new AbortController();
    this.#showBusy();
    entry.view.node.scrollIntoView({ block: "start" });
    await this.#follow(entry, before);
    this.#connection = null;
    this.#showBusy();
  }

  /** The question once more, in the place of a turn that came to nothing. */
  #again(entry) {
    if (this.#connection) return;
    this.#entries = this.#entries.filter((other) => other !== entry);
    entry.view.node.remove();
    this.#ask(entry.turn.question);
    this.focus(); // the button that was pressed is gone
  }

  async #follow(entry, before) {
    const { question, where } = entry.turn;
    const options = { where, history: history(before), signal: this.#connection.signal };
    try {
      for await (const { kind, data } of api.ask(question, options)) change(entry, advance(entry.turn, kind, data));
      if (!isOver(entry.turn)) change(entry, fail(entry.turn, ours("problem.cut")));
    } catch (error) {
      if (isOver(entry.turn)) return; // the answer is there whole; how its connection ended matters no more
      change(entry, error.name === "AbortError" ? stop(entry.turn) : fail(entry.turn, error));
      this.#parts.refused(error);
    }
  }

  #showBusy() {
    const busy = Boolean(this.#connection);
    this.#parts.send.hidden = busy;
    this.#parts.halt.hidden = !busy;
    document.body.dataset.asked = this.#entries.length ? "yes" : "no";
  }
}

/** Draws no more than what has changed: a piece more of the text is no reason to draw the rest. */
function change(entry, next) {
  const last = entry.turn;
  entry.turn = next;
  if (last.status === "writing" && next.status === "writing") return entry.view.grow(next);
  if (last.status !== next.status || last.before !== next.before) say(next);
  return entry.view.show(next);
}
