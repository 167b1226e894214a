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

/** `panel` is the details element with a form in it. Gives what is chosen; `stale` makes it look anew. */
export function filters(panel) {
  const fields = panel.querySelector("form").elements;
  const [summary, list] = [panel.querySelector(".chosen"), panel.querySelector("datalist")];
  let items = null;

  const chosen = () => Object.fromEntries(["language", "folder", "from", "to"].map((name) => [name, fields[name].value]));

  /** What is chosen, in words; empty where nothing is. */
  function words() {
    const { language, folder, from, to } = chosen();
    const parts = [
      language && languageName(language),
      folder.trim(),
      from && t("filter.since", { day: day(from) }),
      to && t("filter.until", { day: day(to) }),
    ];
    return parts.filter(Boolean).join(" · ");
  }

  function show() {
    summary.textContent = words() || t("filter.none");
    panel.dataset.active = words() ? "yes" : "no";
  }

  function offer() {
    const select = fields.language;
    const selected = select.value;
    const codes = [...new Set([...(items ?? []).map((item) => item.language), selected])].filter(Boolean).sort();
    const option = (code) => el("option", { value: code }, code ? languageName(code) : t("filter.any"));
    select.replaceChildren(...["", ...codes].map(option));
    select.value = selected;
    list.replaceChildren(...folders((items ?? []).map((item) => item.path)).map((path) => el("option", { value: path })));
    show();
  }

  panel.addEventListener("toggle", async () => {
    if (!panel.open || items) return;
    items = await known().catch(() => null); // without suggestions the filter still serves
    offer();
  });
  panel.addEventListener("input", show);
  panel.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  panel.querySelector("form").addEventListener("reset", () => setTimeout(show)); // the fields are emptied after this event
  onLanguage(offer);
  const stale = () => {
    items = null;
  };
  return { condition: () => condition(chosen()), words, stale };
}
