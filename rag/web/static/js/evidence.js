// The passages found, as cards. A card opens its document at the highlighted words.
import { percent } from "./confidence.js";
import { el } from "./dom.js";
import { language, languageName, t } from "./i18n.js";
import { excerpt } from "./ranges.js";
import { key, place } from "./turn.js";

/** The place of a passage or citation, in words. */
export const whereabouts = ({ path, page }) => (page == null ? path : t("place.page", { path, page }));

function card(passage, index, open) {
  const { before, lit, after } = excerpt(passage);
  const facts = [languageName(passage.language)];
  if (passage.confidence != null) facts.push(t("evidence.answers", { share: percent(passage.confidence, language()) }));
  const spoken = { class: "card-words", lang: passage.language, dir: "auto" };
  const words = el("span", spoken, before, lit && el("mark", {}, lit), after);
  const title = [el("span", { class: "card-path" }, whereabouts(passage)), el("span", {}, facts.join(" · "))];
  const keys = { "data-place": key(place(passage)), "data-key": `card-${index}` };
  const press = { type: "button", class: "card", ...keys, click: () => open(index) };
  return el("li", {}, el("button", press, el("span", { class: "card-head" }, title), words));
}

/** The list of a turn's passages, folded once there is an answer. `open` is called with places and an index. */
export function evidence(turn, open) {
  if (!turn.passages.length) return null;
  const places = turn.passages.map(place);
  const cards = turn.passages.map((passage, index) => card(passage, index, (at) => open(places, at)));
  const title = turn.answer && !turn.answer.answered ? "evidence.nearest" : "evidence.title";
  return el(
    "details",
    { class: "evidence", open: !turn.answer?.answered },
    el("summary", { "data-key": "evidence" }, t(title, { count: cards.length })),
    el("ol", { class: "cards" }, cards),
  );
}
