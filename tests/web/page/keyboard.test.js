import assert from "node:assert/strict";
import { test } from "node:test";
import { command } from "../../../rag/web/static/js/keyboard.js";

test("keys have a command depending on the focus", () => {
  const meaning = (key, place, more = {}) => command({ key, ...more }, place);
  assert.equal(meaning("/", "page"), "question");
  assert.equal(meaning("/", "field"), null);
  assert.equal(meaning("/", "page", { ctrlKey: true }), null);
  assert.equal(meaning("Escape", "field"), "leave");
  assert.equal(meaning("Escape", "dialog"), null);
  assert.deepEqual(["citation", "reader", "page", "field"].map((place) => meaning("ArrowRight", place)), ["next", "next", null, null]);
  assert.equal(meaning("ArrowLeft", "citation"), "previous");
  assert.equal(meaning("ArrowLeft", "reader", { shiftKey: true }), null);
  assert.equal(meaning("constructor", "reader"), null);
});
