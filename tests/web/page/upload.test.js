import assert from "node:assert/strict";
import { test } from "node:test";
import { groups, MOST_BYTES, sorted } from "../../../rag/web/static/js/upload.js";

test("files over the limit are not sent", () => {
  const [small, large] = [{ name: "a", size: MOST_BYTES }, { name: "b", size: MOST_BYTES + 1 }];
  assert.deepEqual(sorted([small, large]), { small: [small], large: ["b"] });
});

test("many files are sent in order, in groups within the limits", () => {
  const files = (count, size) => Array.from({ length: count }, (_, name) => ({ name, size }));
  assert.deepEqual(groups([]), []);
  assert.deepEqual(groups(files(45, 1)).map((group) => group.length), [20, 20, 5]);
  assert.deepEqual(groups(files(9, MOST_BYTES)).map((group) => group.length), [4, 4, 1]);
  assert.deepEqual(groups(files(45, 1)).flat(), files(45, 1));
});
