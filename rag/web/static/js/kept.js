// The conversation as this tab keeps it until it is closed, so that loading the page again loses nothing. A browser that keeps
// nothing is no error.
import { stop } from "./turn.js";

const KEY = "rag.conversation";
// Turns: more than a conversation has, and far less than a browser takes.
const MOST = 50;

/** The turns that a kept text says; none where it is no conversation. What was under way is stopped. */
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
    forget(); // what is there is not what was said last
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
    // Nothing is kept.
  }
}
