// The conversation: sends questions, follows their events, and keeps the turns that follow-up questions are sent with.
import * as api from "./api.js";
import { TurnView } from "./answer.js";
import { announce } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { forget, keep, kept } from "./persistence.js";
import { ours } from "./problem.js";
import { advance, begin, fail, history, isOver, stop } from "./turn.js";

/** Announce a new state of a turn to screen readers; the pieces of the text are not announced. */
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
 * `form` has the question and the two buttons; the turns are put into `list`. `filter` is the chosen filter, `open` opens the
 * reader, `onProblem` is called with each problem.
 */
export class Conversation {
  #field;
  #parts;
  #entries = []; // each {turn, view}
  #connection = null;

  constructor({ form, list, filter, open, onProblem }) {
    const [field, send, halt] = ["question", "send", "stop"].map((name) => form.elements[name]);
    this.#field = field;
    this.#parts = { send, halt, list, filter, open, onProblem };
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

  /** Stop the answer in progress. Returns false if there is none. */
  end() {
    if (!this.#connection) return false;
    this.#connection.abort();
    this.focus();
    return true;
  }

  /** Start a new conversation. */
  clear() {
    this.end();
    this.#empty();
    this.focus();
  }

  #empty() {
    forget();
    this.#entries = [];
    this.#parts.list.replaceChildren();
    this.#showBusy();
  }

  /** Show the conversation that this tab had before the page was loaded; one that cannot be shown is dropped. */
  restore() {
    if (this.#entries.length) return;
    try {
      kept().forEach((turn) => this.#add(turn));
    } catch {
      this.#empty();
    }
    this.#showBusy();
    this.#entries.at(-1)?.view.node.scrollIntoView({ block: "start" });
  }

  #add(turn) {
    const entry = { turn, view: new TurnView(this.#parts.open, () => this.#again(entry)) };
    this.#entries.push(entry);
    entry.view.show(turn);
    this.#parts.list.append(entry.view.node);
    return entry;
  }

  /** Update a turn. A new piece of the text draws only the text. */
  #change(entry, next) {
    const last = entry.turn;
    entry.turn = next;
    if (last.status === "writing" && next.status === "writing") return entry.view.grow(next);
    if (last.status !== next.status || last.before !== next.before) say(next);
    if (this.#entries.includes(entry)) this.#keep(); // else the conversation was cleared
    return entry.view.show(next);
  }

  #keep() {
    keep(this.#entries.map(({ turn }) => turn));
  }

  async #submit() {
    const question = this.#field.value.trim();
    if (!question || this.#connection) return;
    this.#field.value = "";
    await this.#ask(question);
  }

  async #ask(question) {
    if (this.#connection) return;
    const { filter } = this.#parts;
    const before = this.#entries.map(({ turn }) => turn);
    const entry = this.#add(begin(question, filter.condition(), filter.words()));
    this.#keep();
    filter.fold();
    this.#connection = new AbortController();
    this.#showBusy();
    entry.view.node.scrollIntoView({ block: "start" });
    await this.#follow(entry, before);
    this.#connection = null;
    this.#showBusy();
  }

  /** Ask the question of a failed or stopped turn again, and remove that turn. */
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
      for await (const { kind, data } of api.ask(question, options)) this.#change(entry, advance(entry.turn, kind, data));
      if (!isOver(entry.turn)) this.#change(entry, fail(entry.turn, ours("problem.cut")));
    } catch (error) {
      if (isOver(entry.turn)) return; // the answer is complete: an error at the end of its connection does not matter
      this.#change(entry, error.name === "AbortError" ? stop(entry.turn) : fail(entry.turn, error));
      this.#parts.onProblem(error);
    }
  }

  #showBusy() {
    const busy = Boolean(this.#connection);
    this.#parts.send.hidden = busy;
    this.#parts.halt.hidden = !busy;
    document.body.dataset.asked = this.#entries.length ? "yes" : "no";
  }
}
