import assert from "node:assert/strict";
import { test } from "node:test";
import { earlier, hasChanged, later } from "../../../rag/web/static/js/reader.js";

test("a citation whose words do not stand there any more is known", () => {
  const shown = { start: 50, text: "😀 siap mengekspor" };
  assert.equal(hasChanged({ start: 52, end: 56, text: "siap" }, shown), false);
  assert.equal(hasChanged({ start: 51, end: 55, text: "siap" }, shown), true);
  assert.equal(hasChanged({ start: 51, end: 55 }, shown), false);
});

test("a window grows to both sides, no further than the text", () => {
  const part = { start: 2000, end: 8000, length: 10_000 };
  assert.deepEqual(earlier(part), { start: 0, end: 8000 });
  assert.deepEqual(later(part), { start: 2000, end: 10_000 });
});

test("a window that has grown large moves, and always comes to the end", () => {
  let part = { start: 0, end: 6000, length: 400_000 };
  for (let step = 0; part.end < part.length && step < 1000; step += 1) part = { ...part, ...later(part) };
  assert.equal(part.end, 400_000);
  assert.equal(part.end - part.start, 100_000);
  for (let step = 0; part.start > 0 && step < 1000; step += 1) part = { ...part, ...earlier(part) };
  assert.deepEqual([part.start, part.end], [0, 100_000]);
});
