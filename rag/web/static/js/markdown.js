// An answer as Markdown with its sources, to be put into a note or a mail. What the documents say stays text: nothing of it
// becomes a link, a heading or markup.
import { plain, sentences } from "./turn.js";

/** Signs that Markdown would read are written so that they show as they are. */
export function escape(text) {
  return text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\\`*_[\]<>|~#&!]/g, "\\$&")
    .replace(/^([-+=]|\d+[.)])/, (sign) => sign.slice(0, -1) + "\\" + sign.slice(-1));
}

const sentence = ({ text, supported, numbers }) =>
  [escape(text), supported ? numbers.map((n) => `[${n}]`).join("") : "⚠"].join(" ");

const source = (citation, number, words) => {
  const where = [escape(citation.path), citation.page == null ? "" : words.page(citation.page), words.range(citation)];
  return `${number}. ${where.filter(Boolean).join(", ")}\n   > ${escape(citation.text)}`;
};

/** The question, the answer, what is to be known of it, and each source with its words. `words` are phrases of a language. */
export function asMarkdown(answer, words) {
  const body = answer.answered ? sentences(answer).map(sentence).join(" ") : escape(plain(answer));
  const list = answer.citations.map((citation, i) => source(citation, i + 1, words));
  const parts = [`## ${escape(answer.question)}`, body, answer.note && `*${escape(answer.note)}*`, words.confidence];
  if (list.length) parts.push(`### ${words.sources}`, list.join("\n"));
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}
