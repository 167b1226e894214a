// A document beside the answer: the text around a place, the exact range lit, and the way to the next place.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { failure, words } from "./problem.js";
import { pieces, slice } from "./ranges.js";

// Code points around a place that are fetched at first, and with each wish for more: some pages of a book.
const AROUND = 3000;
// And at most at once: what is read on and on moves out at the other side.
const MOST = 100_000;

/** The windows that begin before and end after a part, each with as much of the part as there is room for. */
export function earlier(part) {
  const start = Math.max(0, part.start - AROUND);
  return { start, end: Math.min(part.end, start + MOST) };
}

export function later(part) {
  const end = Math.min(part.length, part.end + AROUND);
  return { start: Math.max(part.start, end - MOST), end };
}

/** The ranges to mark in a window, the place itself first. */
function marks(places, index) {
  const here = places[index];
  const same = places.filter((place) => place !== here && place.document_id === here.document_id);
  const others = same.map(({ start, end }) => ({ start, end, kind: "also" }));
  const around = here.around ? [{ ...here.around, kind: "around" }] : [];
  return [{ start: here.start, end: here.end, kind: "here" }, ...others, ...around];
}

/** Whether the words that were cited do not stand there any more. A place without words cannot say. */
export function hasChanged(place, { start, text }) {
  return place.text != null && slice(text, place.start - start, place.end - start) !== place.text;
}

function paper(shown, places, index) {
  const marked = pieces(shown.text, shown.start, marks(places, index), shown.pages);
  return marked.map(({ text, kind, page }) => {
    if (page != null) return el("span", { class: "page" }, t("reader.page", { page }));
    return kind ? el("mark", { class: kind, tabindex: kind === "here" ? "-1" : false }, text) : text;
  });
}

/** `node` is the aside. `shown(place)` is told of each place that is opened, and of null when the reader closes. */
export function reader(node, shown) {
  let state = null; // {places, index, window, problem}
  let request = null;
  let opener = null;
  const bar = el("header", { class: "reader-head" });
  const sheet = el("div", { class: "reader-body", tabindex: "0" });
  node.replaceChildren(bar, sheet);

  const button = (name, label, click, disabled = false) => {
    const names = { "aria-label": label, title: label, "data-key": name };
    return el("button", { type: "button", class: "tool", ...names, disabled, click }, icon(name));
  };

  function head() {
    const { places, index } = state;
    const { path, document_id, page } = places[index];
    const what = t("reader.original");
    const link = { class: "tool", href: api.original(document_id), download: "", "aria-label": what, title: what };
    const title = el("h2", { id: "reader-title", tabindex: "-1" }, path);
    return [
      el("div", { class: "reader-title" }, title, page != null && el("p", {}, t("reader.page", { page }))),
      places.length > 1 && el("span", { class: "count" }, t("reader.count", { number: index + 1, count: places.length })),
      places.length > 1 && button("previous", t("reader.previous"), () => move(-1), index === 0),
      places.length > 1 && button("next", t("reader.next"), () => move(1), index === places.length - 1),
      el("a", link, icon("original")),
      button("close", t("reader.close"), close),
    ];
  }

  /** The text around what is read stays where it is on the screen when more is put before it. */
  async function grow({ start, end }) {
    const below = sheet.scrollHeight - sheet.scrollTop;
    const before = start < state.window.start;
    await load(start, end);
    if (before) sheet.scrollTop = sheet.scrollHeight - below;
  }

  const more = (label, part) =>
    el("button", { type: "button", class: "more", "data-key": label, click: () => grow(part) }, t(label));

  const waiting = () => el("p", { class: "progress" }, el("span", { class: "pulse", "aria-hidden": "true" }), t("reader.loading"));

  function body() {
    const { window: part, places, index, problem } = state;
    if (problem) return failure(words(problem));
    if (!part) return waiting();
    return [
      hasChanged(places[index], part) && failure(t("reader.changed")),
      part.start > 0 && more("reader.earlier", earlier(part)),
      el("div", { class: "paper", dir: "auto" }, paper(part, places, index)),
      part.end < part.length && more("reader.later", later(part)),
    ];
  }

  function draw() {
    if (!state) return;
    redraw(bar, head());
    redraw(sheet, body());
  }

  async function load(start, end) {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    const mine = state;
    try {
      mine.window = await api.text(mine.places[mine.index].document_id, start, end, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      mine.problem = error;
    }
    if (state === mine) draw();
  }

  async function open(places, index) {
    const place = places[index];
    if (!state) opener = document.activeElement;
    const mine = { places, index, window: null, problem: null };
    state = mine;
    node.hidden = false;
    document.body.dataset.reading = "yes";
    draw();
    shown(place);
    announce(t("reader.opened", { path: place.path }));
    await load(Math.max(0, place.start - AROUND), place.end + AROUND);
    if (state !== mine) return; // closed, or another place was opened meanwhile
    const lit = node.querySelector("mark.here") ?? node.querySelector("#reader-title");
    lit?.scrollIntoView({ block: "center" });
    lit?.focus({ preventScroll: true });
  }

  /** To a neighbouring place; false where there is none. */
  function move(step) {
    const index = state ? state.index + step : -1;
    if (!state?.places[index]) return false;
    open(state.places, index);
    return true;
  }

  /** False where nothing is open. */
  function close() {
    if (!state) return false;
    request?.abort();
    state = null;
    node.hidden = true;
    document.body.dataset.reading = "no";
    shown(null);
    opener?.focus();
    return true;
  }

  onLanguage(draw);
  return { open, move, close };
}
