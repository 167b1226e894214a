import assert from "node:assert/strict";
import { test } from "node:test";
import { forget, keep, kept, parsed } from "../../../rag/web/static/js/persistence.js";
import { begin } from "../../../rag/web/static/js/turn.js";

test("turns are restored, and a turn in progress is stopped", () => {
  const done = { ...begin("Apa?"), status: "done" };
  assert.deepEqual(parsed(JSON.stringify([done, begin("Siapa?")])), [done, { ...begin("Siapa?"), status: "stopped" }]);
});

test("a stored text that is not a conversation is ignored", () => {
  const answer = JSON.stringify([{ ...begin("Apa?"), answer: { text: "x" } }]);
  for (const text of [answer, null, "", "{", "null", "3", "{}", "[null]", "[3]", '[{"question": "x"}]']) assert.deepEqual(parsed(text), []);
});

test("a browser without storage is no error", () => {
  assert.equal(typeof sessionStorage, "undefined");
  keep([begin("Apa?")]);
  forget();
  assert.deepEqual(kept(), []);
});

test("if the storage is full, no older conversation is left", () => {
  const store = new Map([["rag.conversation", "[]"]]);
  const full = () => {
    throw new Error("QuotaExceededError");
  };
  globalThis.sessionStorage = { setItem: full, removeItem: (key) => store.delete(key), getItem: (key) => store.get(key) ?? null };
  keep([begin("Apa?")]);
  assert.equal(store.size, 0);
});
