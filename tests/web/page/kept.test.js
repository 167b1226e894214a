import assert from "node:assert/strict";
import { test } from "node:test";
import { forget, keep, kept, parsed } from "../../../rag/web/static/js/kept.js";
import { begin } from "../../../rag/web/static/js/turn.js";

test("what is kept is what was said, and what was under way is stopped", () => {
  const done = { ...begin("Apa?"), status: "done" };
  assert.deepEqual(parsed(JSON.stringify([done, begin("Siapa?")])), [done, { ...begin("Siapa?"), status: "stopped" }]);
});

test("what is no conversation is none", () => {
  const answer = JSON.stringify([{ ...begin("Apa?"), answer: { text: "x" } }]);
  for (const text of [answer, null, "", "{", "null", "3", "{}", "[null]", "[3]", '[{"question": "x"}]']) assert.deepEqual(parsed(text), []);
});

test("a browser that keeps nothing is no error", () => {
  assert.equal(typeof sessionStorage, "undefined");
  keep([begin("Apa?")]);
  forget();
  assert.deepEqual(kept(), []);
});

test("of a browser that is full nothing old is left", () => {
  const store = new Map([["rag.conversation", "[]"]]);
  const full = () => {
    throw new Error("QuotaExceededError");
  };
  globalThis.sessionStorage = { setItem: full, removeItem: (key) => store.delete(key), getItem: (key) => store.get(key) ?? null };
  keep([begin("Apa?")]);
  assert.equal(store.size, 0);
});
