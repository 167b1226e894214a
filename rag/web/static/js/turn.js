// One question and its answer so far, as a value. Pure: each event returns a new turn.
import { slice } from "./ranges.js";

// The service uses the history to turn a follow-up into a standalone question; older turns would only take time.
const MOST_HISTORY = 6;

/** A question that was just sent. `where` is the filter of documents, `scope` the same in words. */
export function begin(question, where = "", scope = "") {
  const nothing = { passages: [], before: 0, understood: "", verdict: null, written: "", answer: null, problem: null };
  return { question, where, scope, status: "searching", ...nothing };
}

/** The turn after an event of the service. An event of an unknown kind changes nothing. */
export function advance(turn, kind, data) {
  switch (kind) {
    case "evidence":
      return { ...turn, status: "reading", passages: data.passages };
    case "waiting": // in the queue of the model; 0 is the end of waiting
      return { ...turn, status: data.before ? "waiting" : "reading", before: data.before };
    case "understood":
      return { ...turn, understood: data.question };
    case "verdict":
      return { ...turn, status: "starting", verdict: data };
    case "token":
      return { ...turn, status: "writing", written: turn.written + data.text };
    case "done":
      return { ...turn, status: "done", answer: data, passages: data.passages };
    case "error":
      return fail(turn, data);
    default:
      return turn;
  }
}

/** The turn after its connection has ended without an answer: stopped by the user, or failed. */
export const stop = (turn) => (isOver(turn) ? turn : { ...turn, status: "stopped" });
export const fail = (turn, problem) => ({ ...turn, status: "failed", problem });

/** Whether no more events will come. */
export const isOver = (turn) => ["done", "stopped", "failed"].includes(turn.status);

/** A key that is equal for all citations and passages of the same range of a document. */
export const key = (place) => `${place.document_id} ${place.start} ${place.end}`;

/** The place to show for a passage: its highlight with the words there, and the range of the passage around it. */
export function place(passage) {
  const { start, end } = passage.highlight ?? passage;
  const { document_id, path, page } = passage;
  const text = slice(passage.text, start - passage.start, end - passage.start);
  return { document_id, path, page, start, end, text, around: { start: passage.start, end: passage.end } };
}

/** The history to send with a follow-up question: the last answered turns, with their standalone questions, without markers. */
export function history(turns) {
  const finished = turns.filter((turn) => turn.answer);
  const asked = ({ question, understood, answer }) => ({ question: understood || question, answer: plain(answer) });
  return finished.slice(-MOST_HISTORY).map(asked);
}

/** The sentences of an answer without markers; the text of a refusal. */
export const plain = (answer) => answer.sentences.map((sentence) => sentence.text).join(" ") || answer.text;

/** Each sentence with the numbers of its citations; a sentence without citations is not supported. */
export function sentences(answer) {
  const number = new Map(answer.citations.map((citation, i) => [key(citation), i + 1]));
  return answer.sentences.map(({ text, citations }) => ({
    text,
    supported: citations.length > 0,
    numbers: citations.map((citation) => number.get(key(citation))).filter(Boolean),
  }));
}
