import assert from "node:assert/strict";
import { test } from "node:test";
import { cookie } from "../../../rag/web/static/js/api.js";

test("the token against forged requests is read from its cookie", () => {
  assert.equal(cookie("rag_csrf", "a=1; rag_csrf=x%3Dy; b=2"), "x=y");
  assert.equal(cookie("rag_csrf", "not_rag_csrf=1"), "");
});
