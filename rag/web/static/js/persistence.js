// Keeps the conversation in sessionStorage, so that it survives a reload of the page and ends with the tab. Without storage the
// page works too.
import { stop } from "./turn.js";

const KEY = "rag.conversation";
// Turns: more than a conversation has, and far less than the limit of browsers.
const MOST = 50;

/** The turns in a stored text; none if it is not a conversation. A turn that was in progress is stopped. */
export function parsed(text) {
  try {
    const turns = JSON.parse(text ?? "[]");
    return Array.isArray(turns) && turns.every(isTurn) ? turns.map(stop) : [];
  } catch {
    return [];
  }
}

const isAnswer = ({ text, confidence, sentences, citations }) =>
  typeof text === "string" && typeof confidence === "number" && Array.isArray(sentences) && Array.isArray(citations);
const isTurn = ({ question, status, passages, answer }) =>
  typeof question === "string" && typeof status === "string" && Array.isArray(passages) && (!answer || isAnswer(answer));

export function keep(turns) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(turns.slice(-MOST)));
  } catch {
    forget(); // an older conversation must not stay
  }
}

export function kept() {
  try {
    return parsed(sessionStorage.getItem(KEY));
  } catch {
    return [];
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // There is no storage, so nothing is kept.
  }
}
