// The list of documents: search by path, open, download and delete.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { failure, words } from "./problem.js";
import { day, languageName, onLanguage, t } from "./i18n.js";

// Milliseconds after the last key press until the list is searched.
const PAUSE = 200;

const facts = ({ language, date, pages, characters }) =>
  [
    languageName(language),
    day(date),
    pages ? t("documents.pages", { count: pages }) : t("documents.characters", { count: characters }),
  ].join(" · ");

function row(item, { open, remove }) {
  const reading = () => open([{ document_id: item.id, path: item.path, page: null, start: 0, end: 0 }], 0);
  const label = (phrase) => t(phrase, { path: item.path });
  const named = (phrase) => ({ class: "tool", "aria-label": label(phrase), title: label(phrase) });
  const text = [el("span", { class: "document-path" }, item.path), el("span", { class: "document-facts" }, facts(item))];
  const press = (key, click) => ({ type: "button", "data-key": `${key}-${item.id}`, click });
  return el(
    "li",
    { class: "document" },
    el("button", { class: "document-open", ...press("open", reading) }, text),
    el("a", { ...named("documents.original"), href: api.original(item.id), download: "" }, icon("original")),
    el("button", { ...named("documents.delete"), ...press("delete", () => remove(item)) }, icon("delete")),
  );
}

/** Show the question in the dialog. Resolves to whether it was confirmed. */
export function confirmed(dialog, question) {
  dialog.querySelector("p").textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "delete"), { once: true });
  });
}

/**
 * `view` has the search field, the list and the button for more. `onJob` is called with the job that a deletion starts,
 * `onProblem` with each problem.
 */
export class DocumentList {
  #parts;
  #state = null; // {items, total, problem}
  #timer = 0;
  #requests = 0;

  constructor(view, { dialog, open, onJob, onProblem }) {
    const names = ["input[type=search]", ".documents", ".documents-count", ".more"];
    const [search, list, count, more] = names.map((name) => view.querySelector(name));
    this.#parts = { search, list, count, more, dialog, open, onJob, onProblem };
    search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.load(), PAUSE);
    });
    more.addEventListener("click", () => this.load({ after: true }));
    onLanguage(() => this.#draw());
  }

  /** Load the list from the beginning, or the documents after those shown. */
  async load({ after = false } = {}) {
    const mine = (this.#requests += 1);
    const shown = after ? this.#state.items : [];
    const contains = this.#parts.search.value.trim();
    const found = await api.documents({ offset: shown.length, contains }).catch((problem) => ({ problem }));
    if (mine !== this.#requests) return; // a later search has started meanwhile
    if (found.problem) this.#fail(found.problem);
    else this.#change({ items: [...shown, ...found.items], total: found.total, problem: null });
  }

  async #remove(item) {
    const { dialog, search, onJob } = this.#parts;
    if (!(await confirmed(dialog, t("delete.question", { path: item.path })))) return;
    try {
      const { job } = await api.remove(item.id);
      const { items, total } = this.#state;
      this.#change({ items: items.filter((other) => other.id !== item.id), total: total - 1, problem: null });
      search.focus(); // the button with the focus is gone
      announce(t("documents.removed", { path: item.path }));
      onJob(job);
    } catch (problem) {
      this.#fail(problem);
    }
  }

  #fail(problem) {
    this.#change({ items: [], total: 0, ...this.#state, problem });
    this.#parts.onProblem(problem);
  }

  #change(state) {
    this.#state = state;
    this.#draw();
  }

  #draw() {
    if (!this.#state) return;
    const { items, total, problem } = this.#state;
    const { search, list, count, more, open } = this.#parts;
    const remove = (item) => this.#remove(item);
    redraw(list, problem && el("li", {}, failure(words(problem))), items.map((item) => row(item, { open, remove })));
    const none = search.value ? "documents.none" : "documents.empty";
    count.textContent = items.length || problem ? t("documents.count", { count: total }) : t(none);
    more.hidden = items.length >= total;
  }
}
