// The files that the last rebuild could not read: what is wrong with each, and the way to remove it.
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

/** `room` has the title and the list, and is hidden where all was read; `begun` is told of the job that a deletion begins. */
export class UnreadFiles {
  #room;
  #parts;
  #found = { items: [], total: 0 };
  #problem = null;

  constructor(room, { dialog, begun, refused }) {
    this.#room = room;
    this.#parts = { dialog, begun, refused };
    onLanguage(() => this.#draw());
  }

  async load() {
    try {
      this.#found = await api.unread();
    } catch {
      return; // the list of documents says what is wrong
    }
    this.#problem = null;
    this.#draw();
  }

  async #remove(item) {
    const { dialog, begun, refused } = this.#parts;
    if (!(await confirmed(dialog, t("delete.file", { path: item.path })))) return;
    try {
      const { job } = await api.remove(item.id);
      this.#found = { items: this.#found.items.filter((other) => other !== item), total: this.#found.total - 1 };
      document.getElementById("main").focus(); // the button that was pressed is gone
      announce(t("documents.removed", { path: item.path }));
      begun(job);
    } catch (problem) {
      this.#problem = problem;
      refused(problem);
    }
    this.#draw();
  }

  #draw() {
    const { items, total } = this.#found;
    this.#room.hidden = !total && !this.#problem;
    this.#room.querySelector("h2").textContent = t("unread.title", { count: total });
    const rows = items.map((item) => row(item, (each) => this.#remove(each)));
    redraw(this.#room.querySelector("ul"), this.#problem && el("li", {}, failure(words(this.#problem))), rows);
  }
}
