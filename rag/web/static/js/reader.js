// The reader: a document beside the answer, with the cited range highlighted and buttons to the next and previous source.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { failure, ours, words } from "./problem.js";
import { pieces, slice } from "./ranges.js";

// Code points around a place that are loaded at first, and each time more is requested: some pages of a book.
const AROUND = 3000;
// The most that is kept: when more is loaded on one side, text on the other side is dropped.
const MOST = 100_000;

/** The range that extends a part to earlier text, with as much of the part as fits. */
export function earlier(part) {
  const start = Math.max(0, part.start - AROUND);
  return { start, end: Math.min(part.end, start + MOST) };
}

/** The range that extends a part to later text, with as much of the part as fits. */
export function later(part) {
  const end = Math.min(part.length, part.end + AROUND);
  return { start: Math.max(part.start, end - MOST), end };
}

/** Whether the document no longer has the cited words there. False for a place without words, or outside the loaded part. */
export function hasChanged(place, { start, end, length, text }) {
  const outOfSight = place.start < start || (place.end > end && end < length);
  return place.text != null && !outOfSight && slice(text, place.start - start, place.end - start) !== place.text;
}

/** The ranges to highlight in a part, the place itself first. A place whose words have changed is not highlighted. */
export function marks(places, index, part) {
  const here = places[index];
  const lit = ({ start, end }, kind) => ({ start, end, kind });
  const same = places.filter((place) => place.document_id === here.document_id && !hasChanged(place, part));
  const others = same.filter((place) => place !== here).map((place) => lit(place, "also"));
  if (!same.includes(here)) return others;
  return [lit(here, "here"), ...others, ...(here.around ? [lit(here.around, "around")] : [])];
}

function paper(shown, places, index) {
  const marked = pieces(shown.text, shown.start, marks(places, index, shown), shown.pages);
  return marked.map(({ text, kind, page }) => {
    if (page != null) return el("span", { class: "page" }, t("reader.page", { page }));
    return kind ? el("mark", { class: kind, tabindex: kind === "here" ? "-1" : false }, text) : text;
  });
}

/** `node` is the aside element. `onShow(place)` is called for each place that is opened, and with null when the reader closes. */
export class Reader {
  #node;
  #bar = el("header", { class: "reader-head" });
  #sheet = el("div", { class: "reader-body", tabindex: "0" });
  #onShow;
  #state = null; // {places, index, window, problem}
  #request = null;
  #opener = null;

  constructor(node, onShow) {
    this.#node = node;
    this.#onShow = onShow;
    node.replaceChildren(this.#bar, this.#sheet);
    onLanguage(() => this.#draw());
  }

  /** Open one of several places, and highlight it. */
  async open(places, index) {
    const place = places[index];
    if (!this.#state) this.#opener = document.activeElement;
    const mine = { places, index, window: null, problem: null };
    this.#state = mine;
    this.#node.hidden = false;
    document.body.dataset.reading = "yes";
    this.#draw();
    this.#onShow(place);
    this.#opener?.scrollIntoView({ block: "nearest" }); // the reader may have covered it
    announce(t("reader.opened", { path: place.path }));
    await this.#load(Math.max(0, place.start - AROUND), place.end + AROUND);
    if (this.#state === mine) this.#light(); // it was not closed, and no other place was opened
  }

  /** Open the next (1) or previous (-1) place. Returns false if there is none. */
  move(step) {
    const index = this.#state ? this.#state.index + step : -1;
    if (!this.#state?.places[index]) return false;
    this.open(this.#state.places, index);
    return true;
  }

  /** Close the reader. Returns false if it is not open. */
  close() {
    if (!this.#state) return false;
    this.#request?.abort();
    this.#state = null;
    this.#node.hidden = true;
    document.body.dataset.reading = "no";
    this.#onShow(null);
    this.#opener?.focus();
    return true;
  }

  async #load(start, end) {
    this.#request?.abort();
    this.#request = new AbortController();
    const mine = this.#state;
    const { document_id } = mine.places[mine.index];
    try {
      mine.window = await api.text(document_id, start, end, this.#request.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      mine.problem = error.status === 404 ? ours("reader.gone") : error;
    }
    if (this.#state === mine) this.#draw();
  }

  /** Load more. The visible text stays in its place on the screen when text is added before it. */
  async #grow({ start, end }) {
    const below = this.#sheet.scrollHeight - this.#sheet.scrollTop;
    const before = start < this.#state.window.start;
    await this.#load(start, end);
    if (before) this.#sheet.scrollTop = this.#sheet.scrollHeight - below;
  }

  #light() {
    const lit = this.#node.querySelector("mark.here") ?? this.#node.querySelector("#reader-title");
    toMiddle(lit, this.#sheet);
    lit.focus({ preventScroll: true });
  }

  #draw() {
    if (!this.#state) return;
    redraw(this.#bar, this.#head());
    redraw(this.#sheet, this.#body());
  }

  #head() {
    const { places, index } = this.#state;
    const { path, document_id, page } = places[index];
    const what = t("reader.original");
    const link = { class: "tool", href: api.original(document_id), download: "", "aria-label": what, title: what };
    const title = el("h2", { id: "reader-title", tabindex: "-1" }, path);
    return [
      el("div", { class: "reader-title" }, title, page != null && el("p", {}, t("reader.page", { page }))),
      places.length > 1 && this.#steps(places, index),
      el("a", link, icon("original")),
      button("close", t("reader.close"), () => this.close()),
    ];
  }

  #steps(places, index) {
    const count = el("span", { class: "count" }, t("reader.count", { number: index + 1, count: places.length }));
    const previous = button("previous", t("reader.previous"), () => this.move(-1), index === 0);
    return [count, previous, button("next", t("reader.next"), () => this.move(1), index === places.length - 1)];
  }

  #body() {
    const { window: part, places, index, problem } = this.#state;
    if (problem) return failure(words(problem));
    if (!part) return waiting();
    return [
      hasChanged(places[index], part) && failure(t("reader.changed")),
      part.start > 0 && this.#more("reader.earlier", earlier(part)),
      el("div", { class: "paper", dir: "auto" }, paper(part, places, index)),
      part.end < part.length && this.#more("reader.later", later(part)),
    ];
  }

  #more(label, part) {
    return el("button", { type: "button", class: "more", "data-key": label, click: () => this.#grow(part) }, t(label));
  }
}

function button(name, label, click, disabled = false) {
  const names = { "aria-label": label, title: label, "data-key": name };
  return el("button", { type: "button", class: "tool", ...names, disabled, click }, icon(name));
}

const pulse = () => el("span", { class: "pulse", "aria-hidden": "true" });
const waiting = () => el("p", { class: "progress" }, pulse(), t("reader.loading"));

/** Scroll the sheet until the node is in its middle, or starts at its top. `scrollIntoView` would also move the page. */
function toMiddle(node, sheet) {
  const [lit, seen] = [node.getBoundingClientRect(), sheet.getBoundingClientRect()];
  sheet.scrollTop += lit.top - seen.top - Math.max(0, (seen.height - lit.height) / 2);
}
