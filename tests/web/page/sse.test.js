import assert from "node:assert/strict";
import { test } from "node:test";
import { events, Parser } from "../../../rag/web/static/js/sse.js";

const parse = (...pieces) => {
  const parser = new Parser();
  return pieces.flatMap((piece) => parser.feed(piece));
};
const BYTES = new TextEncoder().encode('event: token\ndata: {"text": "é漢😀"}\n\nevent: done\r\ndata: 1\r\n\r\n');
const WHOLE = [{ event: "token", data: '{"text": "é漢😀"}' }, { event: "done", data: "1" }];

function streamOf(chunks, { failing = false } = {}) {
  const stream = new ReadableStream({
    pull(controller) {
      if (chunks.length) controller.enqueue(chunks.shift());
      else if (failing) controller.error(new Error("cut"));
      else controller.close();
    },
    cancel() {
      stream.cancelled = true;
    },
  });
  return stream;
}

const all = async (stream) => {
  const found = [];
  for await (const event of events(stream)) found.push(event);
  return found;
};

test("lines end in LF, CR or CRLF", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    assert.deepEqual(parse(`event: a${end}data: 1${end}${end}`), [{ event: "a", data: "1" }], JSON.stringify(end));
  }
});

test("a text that is split anywhere gives the same events", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const text = ["event: a", "data: one", "data: two", "", ": still here", "data: x", "", ""].join(end);
    const expected = [{ event: "a", data: "one\ntwo" }, { event: "message", data: "x" }];
    for (let cut = 0; cut <= text.length; cut += 1) assert.deepEqual(parse(text.slice(0, cut), "", text.slice(cut)), expected);
    assert.deepEqual(parse(...text), expected);
  }
});

test("lines of data are joined, one space after the colon is dropped, and an event without data is ignored", () => {
  assert.deepEqual(parse("data:a\ndata:  b\ndata\n\n"), [{ event: "message", data: "a\n b\n" }]);
  assert.deepEqual(parse("event: lonely\n\ndata: x\n\n"), [{ event: "message", data: "x" }]);
  assert.deepEqual(parse("data:\n\n"), [{ event: "message", data: "" }]);
});

test("comments, other fields and incomplete events are ignored", () => {
  assert.deepEqual(parse(": ping\n\nid: 3\nretry: 10\nfoo: bar\ndata: a:b: c\n\n"), [{ event: "message", data: "a:b: c" }]);
  assert.deepEqual(parse("event: done\ndata: 1\n"), []);
});

test("a stream of bytes may be split within a character, and may begin with a byte order mark", async () => {
  for (let size = 1; size < 9; size += 1) {
    const chunks = [new Uint8Array([0xef, 0xbb, 0xbf])];
    for (let i = 0; i < BYTES.length; i += size) chunks.push(BYTES.slice(i, i + size));
    assert.deepEqual(await all(streamOf(chunks)), WHOLE);
  }
});

test("ending the iteration closes the connection", async () => {
  const stream = streamOf([BYTES, BYTES]);
  for await (const event of events(stream)) {
    assert.equal(event.event, "token");
    break;
  }
  assert.equal(stream.cancelled, true);
});

test("a broken connection is an error after the events that arrived", async () => {
  const found = [];
  await assert.rejects(async () => {
    for await (const event of events(streamOf([BYTES], { failing: true }))) found.push(event);
  }, /cut/);
  assert.deepEqual(found, WHOLE);
});
