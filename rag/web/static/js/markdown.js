// An answer with its sources as Markdown, for notes and mail. Text of documents is escaped: it cannot become a link, a heading or
// other markup.
import { plain, sentences } from "./turn.js";

/** Escape the characters that have a meaning in Markdown. */
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

/** The question, the answer, its note and confidence, and the sources with their words. `words` are the phrases to use. */
export function asMarkdown(answer, words) {
  const body = answer.answered ? sentences(answer).map(sentence).join(" ") : escape(plain(answer));
  const list = answer.citations.map((citation, i) => source(citation, i + 1, words));
  const parts = [`## ${escape(answer.question)}`, body, answer.note && `*${escape(answer.note)}*`, words.confidence];
  if (list.length) parts.push(`### ${words.sources}`, list.join("\n"));
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}
