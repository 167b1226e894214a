import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_BYTES, sorted } from "../../../rag/web/static/js/upload.js";

test("files that the service would refuse are not sent", () => {
  const [small, large] = [{ name: "a", size: MOST_BYTES }, { name: "b", size: MOST_BYTES + 1 }];
  assert.deepEqual(sorted([small, large]), { small: [small], large: ["b"] });
});
