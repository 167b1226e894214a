// The documents: a list that is searched by path, read, downloaded and deleted from.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { failure, words } from "./problem.js";
import { day, languageName, onLanguage, t } from "./i18n.js";

// Milliseconds without a key until the list is searched.
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

/** Ask in the dialog; whether the answer was yes. */
function confirmed(dialog, path) {
  dialog.querySelector("p").textContent = t("delete.question", { path });
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "delete"), { once: true });
  });
}

/** `view` has the search field, the list and the button for more; `begun` is told of the job that a deletion begins. */
export function documents(view, { dialog, open, begun, refused }) {
  const parts = ["input[type=search]", ".documents", ".documents-count", ".more"];
  const [search, list, count, more] = parts.map((name) => view.querySelector(name));
  let state = null; // {items, total, problem}
  let timer = 0;
  let asked = 0;

  async function remove(item) {
    if (!(await confirmed(dialog, item.path))) return;
    try {
      const { job } = await api.remove(item.id);
      state = { ...state, items: state.items.filter((other) => other.id !== item.id), total: state.total - 1 };
      draw();
      search.focus(); // the button that was pressed is gone
      announce(t("documents.removed", { path: item.path }));
      begun(job);
    } catch (problem) {
      state = { ...state, problem };
      draw();
      refused(problem);
    }
  }

  function draw() {
    if (!state) return;
    const { items, total, problem } = state;
    redraw(list, problem && el("li", {}, failure(words(problem))), items.map((item) => row(item, { open, remove })));
    const none = search.value ? "documents.none" : "documents.empty";
    count.textContent = items.length || problem ? t("documents.count", { count: total }) : t(none);
    more.hidden = items.length >= total;
  }

  /** Fetch from the beginning, or what comes after what is shown. */
  async function load({ after = false } = {}) {
    const mine = (asked += 1);
    const shown = after ? state.items : [];
    try {
      const { items, total } = await api.documents({ offset: shown.length, contains: search.value.trim() });
      if (mine !== asked) return; // a later search has been made meanwhile
      state = { items: [...shown, ...items], total, problem: null };
    } catch (problem) {
      if (mine !== asked) return;
      state = { items: shown, total: shown.length, problem };
      refused(problem);
    }
    draw();
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE);
  });
  more.addEventListener("click", () => load({ after: true }));
  onLanguage(draw);
  return { load };
}
