// The files that the last rebuild could not read: the problem of each, and a button to delete it.
import * as api from "./api.js";
import { confirmed } from "./documents.js";
import { announce, el, icon, redraw } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { failure, words } from "./problem.js";

function row(item, remove) {
  const label = t("documents.delete", { path: item.path });
  const names = { "aria-label": label, title: label, "data-key": `delete-${item.id}` };
  return el(
    "li",
    { class: "document" },
    el("p", { class: "unread-file" }, el("span", { class: "document-path" }, item.path), el("span", { class: "unread-why" }, words(item.problem))),
    item.id && el("button", { type: "button", class: "tool", ...names, click: () => remove(item) }, icon("delete")),
  );
}

/**
 * `section` has the title and the list, and is hidden if every file was read. `onJob` is called with the job that a deletion
 * starts, `onProblem` with each problem.
 */
export class UnreadFiles {
  #section;
  #parts;
  #found = { items: [], total: 0 };
  #problem = null;

  constructor(section, { dialog, onJob, onProblem }) {
    this.#section = section;
    this.#parts = { dialog, onJob, onProblem };
    onLanguage(() => this.#draw());
  }

  async load() {
    try {
      this.#found = await api.unread();
    } catch {
      return; // the list of documents shows the problem
    }
    this.#problem = null;
    this.#draw();
  }

  async #remove(item) {
    const { dialog, onJob, onProblem } = this.#parts;
    if (!(await confirmed(dialog, t("delete.file", { path: item.path })))) return;
    try {
      const { job } = await api.remove(item.id);
      this.#found = { items: this.#found.items.filter((other) => other !== item), total: this.#found.total - 1 };
      document.getElementById("main").focus(); // the button with the focus is gone
      announce(t("documents.removed", { path: item.path }));
      onJob(job);
    } catch (problem) {
      this.#problem = problem;
      onProblem(problem);
    }
    this.#draw();
  }

  #draw() {
    const { items, total } = this.#found;
    this.#section.hidden = !total && !this.#problem;
    this.#section.querySelector("h2").textContent = t("unread.title", { count: total });
    const rows = items.map((item) => row(item, (each) => this.#remove(each)));
    redraw(this.#section.querySelector("ul"), this.#problem && el("li", {}, failure(words(this.#problem))), rows);
  }
}
