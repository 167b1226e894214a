import assert from "node:assert/strict";
import { test } from "node:test";
import { condition, folders } from "../../../rag/web/static/js/condition.js";

test("choices become conditions, and no choice becomes none", () => {
  assert.equal(condition({}), "");
  assert.equal(condition({ language: "", folder: "  ", from: "", to: "" }), "");
  assert.equal(
    condition({ language: "id", folder: " berita/a b ", from: "2026-01-02", to: "2026-03" }),
    'language="id" and folder="berita/a b" and date>="2026-01-02" and date<="2026-03"',
  );
});

test("a value cannot become a condition", () => {
  assert.equal(condition({ folder: 'x" or language!="id' }), 'folder="x or language!=id"');
});

test("folders are the parents of the documents, each once, without those that a filter cannot name", () => {
  assert.deepEqual(folders(["a.txt", "b/c/d.txt", "b/e.txt", 'q"/f.txt']), ["b", "b/c"]);
});
