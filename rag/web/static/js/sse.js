// Server-sent events from a stream of bytes, parsed as in the HTML standard. Knows nothing of their meaning.

/** Takes pieces of text, cut anywhere, and returns each event when it is complete: {event, data}. */
export class Parser {
  #rest = "";
  #afterReturn = false;
  #event = "";
  #data = [];

  feed(text) {
    // A CRLF may be split between two pieces: its first half has already ended the line.
    const fresh = this.#afterReturn && text.startsWith("\n") ? text.slice(1) : text;
    if (text) this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + fresh).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    if (field === "data") this.#data.push(value);
    return []; // ignore comments, which keep the connection alive, and other fields
  }

  #dispatch() {
    const whole = { event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    return empty ? [] : [whole];
  }
}

/** The events of a ReadableStream. Ending the iteration closes the connection; an incomplete event at the end is dropped. */
export async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder(); // removes a byte order mark, and joins characters that are split between chunks
  const parser = new Parser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {}); // the stream is closed or broken already
  }
}
