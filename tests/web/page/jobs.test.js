import assert from "node:assert/strict";
import { test } from "node:test";
import { hasEnded, outcome, stageWords } from "../../../rag/web/static/js/jobs.js";

test("a job shows its stage, also an unknown one", () => {
  const words = (job) => stageWords({ state: "running", ...job }, (key) => key);
  assert.equal(words({ stage: "reading" }), "job.read");
  assert.equal(words({ stage: "embedded" }), "job.embed");
  assert.equal(words({ stage: "polishing" }), "polishing");
  assert.equal(words({ stage: null }), "job.running");
  assert.equal(words({ state: "waiting" }), "job.waiting");
  assert.equal(words({ state: "failed", problem: { detail: "disk full; make room" } }), "disk full; make room");
  assert.equal(words({ state: "failed", problem: null }), "job.failed");
});

test("a job has ended when it is done or failed, and says how many files it could not read", () => {
  assert.deepEqual(["waiting", "running", "done", "failed"].map((state) => hasEnded({ state })), [false, false, true, true]);
  const said = (failures) => outcome({ state: "done", report: { failures } }, (key, values) => key + (values?.count ?? ""));
  assert.equal(said(["a.pdf: encrypted"]), "job.done. unread.title1");
  assert.equal(said([]), "job.done");
  assert.equal(outcome({ state: "failed", report: null, problem: null }, (key) => key), "job.failed");
});
