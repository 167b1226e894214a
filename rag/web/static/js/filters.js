// Which documents a question is asked of: language, folder and dates, chosen from what there is.
import * as api from "./api.js";
import { el } from "./dom.js";
import { day, languageName, onLanguage, t } from "./i18n.js";
import { condition, folders } from "./where.js";

// Choices are made of the first documents; a folder can be typed all the same.
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

/** `panel` is the details element with a form in it. */
export class Filters {
  #panel;
  #form;
  #items = null; // what there is, once somebody wants to choose of it

  constructor(panel) {
    this.#panel = panel;
    this.#form = panel.querySelector("form");
    panel.addEventListener("toggle", () => this.#opened());
    panel.addEventListener("input", () => this.#show());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("reset", () => setTimeout(() => this.#show())); // the fields are emptied after this event
    onLanguage(() => this.#offer());
  }

  /** What is chosen, in the language of the service; empty where nothing is. */
  condition() {
    return condition(this.#chosen());
  }

  /** What is chosen, in words; empty where nothing is. */
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

  /** Give the room to the answer. */
  fold() {
    this.#panel.open = false;
  }

  /** The documents have changed: look anew when somebody wants to choose. */
  forget() {
    this.#items = null;
  }

  #chosen() {
    const fields = ["language", "folder", "from", "to"];
    return Object.fromEntries(fields.map((name) => [name, this.#form.elements[name].value]));
  }

  async #opened() {
    if (!this.#panel.open || this.#items) return;
    this.#items = await known().catch(() => null); // without suggestions the filter still serves
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
