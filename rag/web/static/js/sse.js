// Server-sent events from a stream of bytes, as the HTML standard parses them. Knows nothing of what the events mean.

/** Takes text in pieces, cut anywhere, and gives each event once it is whole: {event, data}. */
export class Parser {
  #rest = "";
  #afterReturn = false;
  #event = "";
  #data = [];

  feed(text) {
    // A CRLF may be cut in two: its first half has ended the line already.
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
    return []; // comments, which keep a connection alive, and fields that we do not use
  }

  #dispatch() {
    const whole = { event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    return empty ? [] : [whole];
  }
}

/** The events of a ReadableStream. Whoever stops listening closes the connection; what was not whole at the end is no event. */
export async function* events(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder(); // takes a byte order mark off, and keeps a character that is cut in two
  const parser = new Parser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {}); // already closed, or broken: there is nothing left to close
  }
}
