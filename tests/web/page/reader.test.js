import assert from "node:assert/strict";
import { test } from "node:test";
import { earlier, hasChanged, later, marks } from "../../../rag/web/static/js/reader.js";

test("a citation whose words are no longer there is detected", () => {
  const shown = { start: 50, end: 67, length: 67, text: "😀 siap mengekspor" };
  assert.equal(hasChanged({ start: 52, end: 56, text: "siap" }, shown), false);
  assert.equal(hasChanged({ start: 51, end: 55, text: "siap" }, shown), true);
  assert.equal(hasChanged({ start: 51, end: 55 }, shown), false);
  assert.equal(hasChanged({ start: 66, end: 70, text: "rapa" }, shown), true);
  assert.equal(hasChanged({ start: 66, end: 70, text: "rapa" }, { ...shown, length: 90 }), false);
  assert.equal(hasChanged({ start: 10, end: 14, text: "siap" }, shown), false);
});

test("the cited words are highlighted, and nothing if the words have changed", () => {
  const part = { start: 0, end: 19, length: 19, text: "satu dua tiga empat" };
  const place = (start, text, more) => ({ document_id: "d", start, end: start + text.length, text, ...more });
  const [dua, tiga] = [place(5, "dua", { around: { start: 0, end: 13 } }), place(9, "tiga")];
  assert.deepEqual(marks([dua, tiga, place(14, "lima")], 0, part), [
    { start: 5, end: 8, kind: "here" },
    { start: 9, end: 13, kind: "also" },
    { start: 0, end: 13, kind: "around" },
  ]);
  assert.deepEqual(marks([place(5, "tak"), tiga], 0, part), [{ start: 9, end: 13, kind: "also" }]);
});

test("a loaded part grows to both sides, up to the ends of the text", () => {
  const part = { start: 2000, end: 8000, length: 10_000 };
  assert.deepEqual(earlier(part), { start: 0, end: 8000 });
  assert.deepEqual(later(part), { start: 2000, end: 10_000 });
});

test("a large part moves, and always reaches the end", () => {
  let part = { start: 0, end: 6000, length: 400_000 };
  for (let step = 0; part.end < part.length && step < 1000; step += 1) part = { ...part, ...later(part) };
  assert.equal(part.end, 400_000);
  assert.equal(part.end - part.start, 100_000);
  for (let step = 0; part.start > 0 && step < 1000; step += 1) part = { ...part, ...earlier(part) };
  assert.deepEqual([part.start, part.end], [0, 100_000]);
});
