// The words of the interface. The documents and answers keep their own language.
import { en } from "./en.js";
import { id } from "./id.js";
import { remember, remembered } from "./memory.js";

export const TABLES = { en, id };
let chosen = "en";
const listeners = [];

/** The language that serves: what was chosen before, else the first of the browser's that we have, else English. */
export function pick(stored, preferred) {
  const known = [stored, ...preferred].map((tag) => tag?.toLowerCase().split("-")[0]);
  return known.find((tag) => Object.hasOwn(TABLES, tag ?? "")) ?? "en";
}

/** A phrase of a table with its values; one with a `count` may have a form for each plural category. */
export function phrase(language, key, values = {}) {
  const entry = TABLES[language][key];
  const form = typeof entry === "object" ? entry[new Intl.PluralRules(language).select(values.count)] : entry;
  return (form ?? key).replace(/\{(\w+)\}/g, (_, name) => written(language, values[name]));
}

const written = (language, value) =>
  typeof value === "number" ? new Intl.NumberFormat(language).format(value) : String(value);

/** The phrase in the language that serves. */
export const t = (key, values) => phrase(chosen, key, values);

export const language = () => chosen;

/** Calls back when the language changes, after the page's own words have. */
export const onLanguage = (listener) => listeners.push(listener);

/** What a language is called, and what a day is, in the language that serves; what nobody has a name for as it stands. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([chosen], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

export function day(iso) {
  const date = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(date.valueOf())) return iso;
  return new Intl.DateTimeFormat(chosen, { dateStyle: "medium", timeZone: "UTC" }).format(date);
}

/** Put the phrases where index.html names them: as text, or as the attribute after `data-t-`. */
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

/** Begin, and let the select switch. */
export function languageSwitch(select) {
  use(pick(remembered("language"), navigator.languages ?? [navigator.language]));
  select.value = chosen;
  select.addEventListener("change", () => {
    remember("language", select.value);
    use(select.value);
  });
}
