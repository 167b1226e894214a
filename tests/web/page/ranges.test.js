import assert from "node:assert/strict";
import { test } from "node:test";
import { excerpt, indices, length, pieces, slice } from "../../../rag/web/static/js/ranges.js";

const TEXT = "Iran 🇮🇷 siap 👩‍🔬 𝒙 selesai";
const POINTS = [...TEXT];

test("offsets count code points, also beyond the basic plane", () => {
  assert.equal(length(TEXT), POINTS.length);
  assert.notEqual(TEXT.length, POINTS.length);
  for (let start = 0; start <= POINTS.length; start += 1) {
    for (let end = start; end <= POINTS.length; end += 1) {
      assert.equal(slice(TEXT, start, end), POINTS.slice(start, end).join(""));
    }
  }
});

test("offsets past the end are the end", () => {
  assert.deepEqual(indices("😀a", [0, 1, 2, 9]), [0, 2, 3, 3]);
});

test("the pieces joined are the text, for any marks", () => {
  const offset = 100;
  for (let start = 95; start < 125; start += 1) {
    for (const size of [0, 1, 5, 40]) {
      const marks = [{ start, end: start + size, kind: "here" }, { start: 103, end: 110, kind: "around" }];
      const shown = pieces(TEXT, offset, marks, [{ number: 2, start: 104 }, { number: 3, start: 108 }]);
      assert.equal(shown.map((piece) => piece.text ?? "").join(""), TEXT);
      const lit = shown.filter((piece) => piece.kind === "here").map((piece) => piece.text).join("");
      assert.equal(lit, POINTS.slice(Math.max(0, start - offset), Math.max(0, start + size - offset)).join(""));
    }
  }
});

test("the first of two overlapping marks wins, and a page starts at its offset", () => {
  const marks = [{ start: 2, end: 4, kind: "here" }, { start: 0, end: 6, kind: "around" }];
  assert.deepEqual(pieces("abcdef", 0, marks, [{ number: 1, start: 0 }, { number: 2, start: 3 }]), [
    { page: 1 },
    { text: "ab", kind: "around" },
    { text: "c", kind: "here" },
    { page: 2 },
    { text: "d", kind: "here" },
    { text: "ef", kind: "around" },
  ]);
});

test("an empty text has no pieces, and pages outside the window are not shown", () => {
  assert.deepEqual(pieces("", 0, []), []);
  assert.deepEqual(pieces("ab", 10, [], [{ number: 1, start: 0 }, { number: 2, start: 12 }]), [{ text: "ab", kind: null }]);
});

test("an excerpt is cut at words around the highlight, with an ellipsis at each cut", () => {
  const text = "satu dua tiga empat 😀 lima enam tujuh delapan";
  const start = [...text.slice(0, text.indexOf("lima"))].length;
  const passage = { text, start: 1000, highlight: { start: 1000 + start, end: 1000 + start + 4 } };
  assert.deepEqual(excerpt(passage, 10), { before: "… empat 😀 ", lit: "lima", after: " enam …" });
  assert.deepEqual(excerpt(passage, 900), { before: text.slice(0, text.indexOf("lima")), lit: "lima", after: " enam tujuh delapan" });
});

test("a passage without a highlight is shown from its beginning", () => {
  assert.deepEqual(excerpt({ text: "satu dua tiga", start: 5, highlight: null }, 7), { before: "", lit: "", after: "satu …" });
});
