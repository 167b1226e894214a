import assert from "node:assert/strict";
import { test } from "node:test";
import { band, percent } from "../../../rag/web/static/js/confidence.js";
import { advance, begin, fail, history, isOver, place, sentences, stop } from "../../../rag/web/static/js/turn.js";

const cited = (start, document_id = "d") => ({ document_id, path: "a.txt", sha256: "0", start, end: start + 4, text: "kata", page: null });
const words = "😀 satu dua tiga empat";
const passage = { document_id: "d", path: "a.txt", page: 3, start: 10, end: 31, text: words, highlight: { start: 17, end: 20 } };
const ANSWER = {
  question: "Apa?",
  answered: true,
  text: "Satu. [1] [2] Dua. [1] Tiga. ⚠",
  sentences: [
    { text: "Satu.", citations: [cited(0), cited(8)] },
    { text: "Dua.", citations: [cited(0)] },
    { text: "Tiga.", citations: [] },
  ],
  citations: [cited(0), cited(8)],
  passages: [passage],
};
const REFUSAL = { ...ANSWER, answered: false, text: "Tidak dijawab.", sentences: [], citations: [] };

const after = (...events) => events.reduce((turn, [kind, data]) => advance(turn, kind, data), begin("Apa?"));

test("a turn goes from evidence to the answer, and the pieces are joined", () => {
  const evidence = ["evidence", { passages: [passage] }];
  const verdict = ["verdict", { citation: cited(0), confidence: 0.9 }];
  assert.equal(after().status, "searching");
  assert.equal(after(evidence).status, "reading");
  assert.equal(after(evidence, verdict).status, "starting");
  const writing = after(evidence, verdict, ["token", { text: "Sa" }], ["token", { text: "tu." }]);
  assert.deepEqual([writing.status, writing.written], ["writing", "Satu."]);
  const done = advance(advance(writing, "citation", { number: 1, citation: cited(0) }), "done", ANSWER);
  assert.deepEqual([done.status, done.answer, isOver(done)], ["done", ANSWER, true]);
});

test("a waiting turn has the number of questions before it", () => {
  const evidence = ["evidence", { passages: [passage] }];
  const waiting = after(evidence, ["waiting", { before: 3 }]);
  assert.deepEqual([waiting.status, waiting.before, waiting.passages.length], ["waiting", 3, 1]);
  const nearer = advance(waiting, "waiting", { before: 1 });
  assert.deepEqual([nearer.status, nearer.before], ["waiting", 1]);
  assert.deepEqual([advance(nearer, "waiting", { before: 0 }).status, isOver(nearer)], ["reading", false]);
});

test("a stopped or failed turn is over, and a finished one stays finished", () => {
  assert.equal(stop(after(["token", { text: "a" }])).status, "stopped");
  assert.equal(stop(after(["done", ANSWER])).status, "done");
  assert.equal(after(["error", { detail: "no index; run `rag index`" }]).problem.detail, "no index; run `rag index`");
  assert.ok(isOver(fail(begin("x"), {})));
});

test("an event never modifies the old turn, and an unknown event changes nothing", () => {
  const turn = Object.freeze(begin("Apa?"));
  advance(turn, "token", { text: "a" });
  assert.equal(advance(turn, "something", {}), turn);
});

test("sentences have the numbers of their citations, and those without citations are not supported", () => {
  assert.deepEqual(sentences(ANSWER), [
    { text: "Satu.", supported: true, numbers: [1, 2] },
    { text: "Dua.", supported: true, numbers: [1] },
    { text: "Tiga.", supported: false, numbers: [] },
  ]);
});

test("the same range of two documents has two numbers", () => {
  const both = [cited(0, "a"), cited(0, "b")];
  assert.deepEqual(sentences({ citations: both, sentences: [{ text: "x", citations: both }] })[0].numbers, [1, 2]);
});

test("a follow-up is sent with the last answered turns, without markers", () => {
  const [answered, refused, open] = [after(["done", ANSWER]), after(["done", REFUSAL]), after(["token", { text: "a" }])];
  assert.deepEqual(history([answered, open, refused]), [
    { question: "Apa?", answer: "Satu. Dua. Tiga." },
    { question: "Apa?", answer: "Tidak dijawab." },
  ]);
  assert.equal(history(Array(40).fill(answered)).length, 6);
});

test("a follow-up is shown and sent on as its standalone question", () => {
  const turn = after(["evidence", { passages: [] }], ["understood", { question: "Apa kata Ashtiani?" }], ["done", ANSWER]);
  assert.equal(turn.understood, "Apa kata Ashtiani?");
  assert.deepEqual(history([turn]), [{ question: "Apa kata Ashtiani?", answer: "Satu. Dua. Tiga." }]);
});

test("the place of a passage is its highlight, else the whole passage", () => {
  const whole = { start: 10, end: 31 };
  const common = { document_id: "d", path: "a.txt", page: 3, around: whole };
  assert.deepEqual(place(passage), { ...common, start: 17, end: 20, text: "dua" });
  assert.deepEqual(place({ ...passage, highlight: null }), { ...common, ...whole, text: words });
});

test("nothing is shown as certain or impossible", () => {
  assert.deepEqual([0, 0.004, 0.5, 0.93, 0.996, 1].map((p) => percent(p, "en")), ["< 1%", "< 1%", "50%", "93%", "> 99%", "> 99%"]);
  assert.match(percent(0.5, "id"), /^50\s?%$/);
  assert.deepEqual(
    [1, 0.9, 0.89, 0.5, 0.35, 0.1, 0].map(band),
    ["high", "high", "good", "even", "low", "none", "none"].map((name) => `confidence.${name}`),
  );
});
