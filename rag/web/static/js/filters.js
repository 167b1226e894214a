// The filter panel: which documents are searched, by language, folder and date.
import * as api from "./api.js";
import { el } from "./dom.js";
import { day, languageName, onLanguage, t } from "./i18n.js";
import { condition, folders } from "./condition.js";

// Suggestions come from the first documents only; any folder can be typed.
const MOST_PAGES = 5;
const PAGE = 200;

async function known() {
  const items = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items: more, total } = await api.documents({ offset: items.length, limit: PAGE });
    items.push(...more);
    if (!more.length || items.length >= total) break;
  }
  return items;
}

/** `panel` is the details element that contains the form. */
export class Filters {
  #panel;
  #form;
  #items = null; // the documents, loaded when the panel is first opened

  constructor(panel) {
    this.#panel = panel;
    this.#form = panel.querySelector("form");
    panel.addEventListener("toggle", () => this.#opened());
    panel.addEventListener("input", () => this.#show());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("reset", () => setTimeout(() => this.#show())); // the fields are cleared after this event
    onLanguage(() => this.#offer());
  }

  /** The filter as the parameter `where` of the service; empty without a choice. */
  condition() {
    return condition(this.#chosen());
  }

  /** The filter in words; empty without a choice. */
  words() {
    const { language, folder, from, to } = this.#chosen();
    const parts = [
      language && languageName(language),
      folder.trim(),
      from && t("filter.since", { day: day(from) }),
      to && t("filter.until", { day: day(to) }),
    ];
    return parts.filter(Boolean).join(" · ");
  }

  /** Close the panel, to make room for the answer. */
  fold() {
    this.#panel.open = false;
  }

  /** The documents have changed: load them again when the panel is next opened. */
  forget() {
    this.#items = null;
  }

  #chosen() {
    const fields = ["language", "folder", "from", "to"];
    return Object.fromEntries(fields.map((name) => [name, this.#form.elements[name].value]));
  }

  async #opened() {
    if (!this.#panel.open || this.#items) return;
    this.#items = await known().catch(() => null); // the filter works without suggestions too
    this.#offer();
  }

  #offer() {
    const select = this.#form.elements.language;
    const selected = select.value;
    const items = this.#items ?? [];
    const codes = [...new Set([...items.map((item) => item.language), selected])].filter(Boolean).sort();
    const option = (code) => el("option", { value: code }, code ? languageName(code) : t("filter.any"));
    select.replaceChildren(...["", ...codes].map(option));
    select.value = selected;
    const known = folders(items.map((item) => item.path)).map((path) => el("option", { value: path }));
    this.#panel.querySelector("datalist").replaceChildren(...known);
    this.#show();
  }

  #show() {
    this.#panel.querySelector(".chosen").textContent = this.words() || t("filter.none");
    this.#panel.dataset.active = this.words() ? "yes" : "no";
  }
}
