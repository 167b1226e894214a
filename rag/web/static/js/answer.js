// The view of one turn: the question, the quoted words that answer, the draft while it is written, and the finished answer.
import { asMarkdown } from "./markdown.js";
import { band, percent } from "./confidence.js";
import { copy } from "./clipboard.js";
import { announce, bar, el, icon, redraw } from "./dom.js";
import { evidence, whereabouts } from "./evidence.js";
import { language, t } from "./i18n.js";
import { failure, words } from "./problem.js";
import { isOver, key, sentences } from "./turn.js";

const sure = (probability) => t(band(probability), { share: percent(probability, language()) });

/** The words of the best passage that answer: before the model writes, and above a finished answer. */
function instant(turn, open) {
  const citation = turn.answer ? turn.answer.marked : turn.verdict?.citation;
  if (!citation || (turn.answer && !turn.answer.answered)) return null;
  const press = { type: "button", class: "source", "data-key": "instant", click: () => open([citation], 0) };
  return el(
    "figure",
    { class: "instant" },
    el("figcaption", {}, [t("instant.title"), turn.answer ? "" : sure(turn.verdict.confidence)].filter(Boolean).join(" · ")),
    el("blockquote", { dir: "auto" }, citation.text),
    el("button", press, whereabouts(citation)),
  );
}

const PROGRESS = {
  searching: "status.searching",
  reading: "status.reading",
  waiting: "status.waiting",
  starting: "status.starting",
  writing: "status.writing",
};

function progress(turn) {
  if (isOver(turn)) return turn.status === "stopped" ? el("p", { class: "aside" }, t("status.stopped")) : null;
  return el("p", { class: "progress" }, el("span", { class: "pulse", "aria-hidden": "true" }), t(PROGRESS[turn.status], { count: turn.before }));
}

function citation(number, answer, open) {
  const cited = answer.citations[number - 1];
  const label = t("citation.open", { number, place: whereabouts(cited) });
  const press = () => open(answer.citations, number - 1);
  const names = { "aria-label": label, title: label, "data-place": key(cited), "data-key": `citation-${number}` };
  return el("button", { type: "button", class: "citation", ...names, click: press }, String(number));
}

function sentence({ text, supported, numbers }, answer, open) {
  const flag = el("span", { class: "flag" }, "⚠\u00a0", t("sentence.unsupported"));
  const marks = supported ? numbers.map((number) => citation(number, answer, open)) : flag;
  return el("span", { class: supported ? "sentence" : "sentence unsupported" }, text, "\u00a0", marks, " ");
}

function finished(answer, open) {
  const spoken = { dir: "auto", lang: answer.language };
  const why = el("p", { class: "aside" }, t("refusal.why"));
  const note = answer.note && el("p", { class: "aside", ...spoken }, answer.note);
  if (!answer.answered) return [el("p", { class: "refusal", ...spoken }, answer.text), note, why];
  const body = sentences(answer).map((each) => sentence(each, answer, open));
  return [el("p", { class: "words", ...spoken }, body), note];
}

const phrases = (answer) => ({
  sources: t("copy.sources"),
  confidence: sure(answer.confidence),
  page: (page) => t("copy.page", { page }),
  range: ({ start, end }) => t("copy.range", { start, end }),
});

function foot(turn) {
  const { answer } = turn;
  const label = el("span", {}, t("copy.button"));
  const press = async () => {
    const done = await copy(asMarkdown(answer, phrases(answer)));
    label.textContent = t(done ? "copy.done" : "copy.failed");
    announce(label.textContent);
  };
  return el(
    "footer",
    { class: "turn-foot" },
    el("p", { class: "confidence", title: t("confidence.what") }, bar(answer.confidence), sure(answer.confidence)),
    el("button", { type: "button", class: "quiet", "data-key": "copy", click: press }, icon("copy"), label),
  );
}

/** A button to ask again, if the question got no answer. */
function askAgain(turn, again) {
  if (!["failed", "stopped"].includes(turn.status)) return null;
  return el("button", { type: "button", class: "plain", "data-key": "again", click: again }, t("ask.again"));
}

/** The view of a turn; `node` is its element. `open(places, index)` opens the reader, `again()` asks the question again. */
export class TurnView {
  #open;
  #again;
  #question = el("h2", { class: "question", dir: "auto" });
  #scope = el("p", { class: "aside" });
  #written = document.createTextNode("");
  #parts = { above: el("div"), body: el("div", { class: "answer" }), below: el("div") };
  #drawn = []; // what the part below was drawn from
  node = el("article", { class: "turn" }, this.#question, this.#scope, Object.values(this.#parts));

  constructor(open, again) {
    this.#open = open;
    this.#again = again;
  }

  /** Draw a turn. */
  show(turn) {
    this.#question.textContent = turn.question;
    this.#scope.textContent = turn.scope && t("turn.filtered", { scope: turn.scope });
    this.#scope.hidden = !turn.scope;
    const understood = turn.understood && el("p", { class: "aside", dir: "auto" }, t("turn.understood", { question: turn.understood }));
    redraw(this.#parts.above, understood, instant(turn, this.#open));
    redraw(this.#parts.body, turn.answer ? finished(turn.answer, this.#open) : this.#unfinished(turn));
    this.#showBelow(turn);
    this.node.setAttribute("aria-busy", String(!isOver(turn)));
  }

  /** Show the text with a new piece. Nothing else has changed, so nothing else is drawn. */
  grow(turn) {
    this.#written.data = turn.written;
  }

  #unfinished(turn) {
    this.grow(turn);
    const draft = turn.written && el("p", { class: "words draft", dir: "auto" }, this.#written);
    return [progress(turn), draft, turn.problem && failure(words(turn.problem)), askAgain(turn, this.#again)];
  }

  /** The cards are drawn only when they change, so that a folded list stays folded and the focus stays. */
  #showBelow(turn) {
    const made = [turn.passages, turn.answer, language()];
    if (made.every((part, i) => part === this.#drawn[i])) return;
    this.#drawn = made;
    redraw(this.#parts.below, turn.answer && foot(turn), evidence(turn, this.#open));
  }
}
