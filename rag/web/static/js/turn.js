// One question and what has come of it so far. Pure: each event makes a new turn of the old one.
import { slice } from "./ranges.js";

// The service reads the history to make a follow-up stand alone; what lies further back only costs it time.
const MOST_HISTORY = 6;

/** A question that was just sent, to the documents that meet the condition `where`, which is `scope` in words. */
export function begin(question, where = "", scope = "") {
  const nothing = { passages: [], before: 0, understood: "", verdict: null, written: "", answer: null, problem: null };
  return { question, where, scope, status: "searching", ...nothing };
}

/** The turn after an event of the service. Events of kinds we do not know change nothing. */
export function advance(turn, kind, data) {
  switch (kind) {
    case "evidence":
      return { ...turn, status: "reading", passages: data.passages };
    case "waiting": // for the model; 0 is its turn
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

/** The turn when its connection has ended without an answer, by the person's wish or not. */
export const stop = (turn) => (isOver(turn) ? turn : { ...turn, status: "stopped" });
export const fail = (turn, problem) => ({ ...turn, status: "failed", problem });

/** Whether nothing more will come. */
export const isOver = (turn) => ["done", "stopped", "failed"].includes(turn.status);

/** The same for every citation and passage of one range of one document. */
export const key = (place) => `${place.document_id} ${place.start} ${place.end}`;

/** Where a passage is to be looked at: its highlight, within its own range, and the words that stand there. */
export function place(passage) {
  const { start, end } = passage.highlight ?? passage;
  const { document_id, path, page } = passage;
  const text = slice(passage.text, start - passage.start, end - passage.start);
  return { document_id, path, page, start, end, text, around: { start: passage.start, end: passage.end } };
}

/** What a follow-up question is sent with: the last answered ones, as they were understood, without markers. */
export function history(turns) {
  const finished = turns.filter((turn) => turn.answer);
  const asked = ({ question, understood, answer }) => ({ question: understood || question, answer: plain(answer) });
  return finished.slice(-MOST_HISTORY).map(asked);
}

/** The sentences of an answer alone; a refusal's own words. */
export const plain = (answer) => answer.sentences.map((sentence) => sentence.text).join(" ") || answer.text;

/** Each sentence with the numbers of its citations; one without any is not supported. */
export function sentences(answer) {
  const number = new Map(answer.citations.map((citation, i) => [key(citation), i + 1]));
  return answer.sentences.map(({ text, citations }) => ({
    text,
    supported: citations.length > 0,
    numbers: citations.map((citation) => number.get(key(citation))).filter(Boolean),
  }));
}
