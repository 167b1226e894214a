import assert from "node:assert/strict";
import { test } from "node:test";
import { asMarkdown, escape } from "../../../rag/web/static/js/markdown.js";

const WORDS = { sources: "Sumber", confidence: "Sangat mungkin (93 %)", page: (page) => `halaman ${page}`, range: ({ start, end }) => `karakter ${start}–${end}` };
const cited = { document_id: "d", path: "berita_[1].pdf", start: 894, end: 1094, text: "Iran “tidak\n memiliki *batasan*”.", page: 2 };
const ANSWER = {
  question: "Apa kata #1?",
  answered: true,
  text: "",
  note: "Sebagian dihilangkan.",
  sentences: [{ text: "Tidak ada batasan.", citations: [cited] }, { text: "2. <b>Lain</b>", citations: [] }],
  citations: [cited],
};

test("an answer is copied with its question, markers, note, confidence and sources", () => {
  assert.equal(
    asMarkdown(ANSWER, WORDS),
    [
      "## Apa kata \\#1?",
      "",
      "Tidak ada batasan. [1] 2\\. \\<b\\>Lain\\</b\\> ⚠",
      "",
      "*Sebagian dihilangkan.*",
      "",
      "Sangat mungkin (93 %)",
      "",
      "### Sumber",
      "",
      "1. berita\\_\\[1\\].pdf, halaman 2, karakter 894–1094",
      "   > Iran “tidak memiliki \\*batasan\\*”.",
      "",
    ].join("\n"),
  );
});

test("a refusal is copied without sources", () => {
  const refusal = { ...ANSWER, answered: false, text: "Dokumen tidak menjawab.", note: "", sentences: [], citations: [] };
  assert.equal(asMarkdown(refusal, WORDS), "## Apa kata \\#1?\n\nDokumen tidak menjawab.\n\nSangat mungkin (93 %)\n");
});

test("text of documents is escaped", () => {
  assert.equal(escape("[x](http://y) ![z] <img> `c` | ~s~ \\"), "\\[x\\](http://y) \\!\\[z\\] \\<img\\> \\`c\\` \\| \\~s\\~ \\\\");
  assert.deepEqual(["- a", "+ a", "=== ", "1. a", "12) a", "> a", "a - 1. b"].map(escape), ["\\- a", "\\+ a", "\\===", "1\\. a", "12\\) a", "\\> a", "a - 1. b"]);
});
