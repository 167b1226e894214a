// The language of the interface: phrases, numbers, dates and names of languages. Documents and answers keep their own language.
import { en } from "./en.js";
import { id } from "./id.js";
import { remember, remembered } from "./preferences.js";

export const TABLES = { en, id };
let chosen = "en";
const listeners = [];

/** The language to use: the stored choice, else the first known language of the browser, else English. */
export function pick(stored, preferred) {
  const known = [stored, ...preferred].map((tag) => tag?.toLowerCase().split("-")[0]);
  return known.find((tag) => Object.hasOwn(TABLES, tag ?? "")) ?? "en";
}

/** A phrase with its values filled in. A phrase with a `count` may have a form for each plural category. */
export function phrase(language, key, values = {}) {
  const entry = TABLES[language][key];
  const form = typeof entry === "object" ? entry[new Intl.PluralRules(language).select(values.count)] : entry;
  return (form ?? key).replace(/\{(\w+)\}/g, (_, name) => written(language, values[name]));
}

const written = (language, value) =>
  typeof value === "number" ? new Intl.NumberFormat(language).format(value) : String(value);

/** The phrase in the current language. */
export const t = (key, values) => phrase(chosen, key, values);

export const language = () => chosen;

/** Register a callback for a change of language. It is called after the page's own phrases have changed. */
export const onLanguage = (listener) => listeners.push(listener);

/** The name of a language in the current language; its code if it has no name. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([chosen], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** An ISO day, written in the current language; unchanged if it is not a date. */
export function day(iso) {
  const date = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(date.valueOf())) return iso;
  return new Intl.DateTimeFormat(chosen, { dateStyle: "medium", timeZone: "UTC" }).format(date);
}

/** Set the phrases that index.html names: `data-t` for text, `data-t-NAME` for the attribute NAME. */
function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const name of ["aria-label", "placeholder", "title"]) {
    const from = `data-t-${name}`;
    for (const node of root.querySelectorAll(`[${from}]`)) node.setAttribute(name, t(node.getAttribute(from)));
  }
}

export function use(wanted) {
  chosen = wanted;
  document.documentElement.lang = wanted;
  translate(document);
  for (const listener of listeners) listener();
}

/** Set the initial language, and let the select element change it. */
export function languageSwitch(select) {
  use(pick(remembered("language"), navigator.languages ?? [navigator.language]));
  select.value = chosen;
  select.addEventListener("change", () => {
    remember("language", select.value);
    use(select.value);
  });
}
