// Ranges of text. The service counts Unicode code points, strings of JavaScript count UTF-16 code units. Only this module
// converts between them.

/** The string index of each code point offset; the offsets are ascending. */
export function indices(text, offsets) {
  let index = 0;
  let offset = 0;
  return offsets.map((wanted) => {
    for (; offset < wanted && index < text.length; offset += 1) index += text.codePointAt(index) > 0xffff ? 2 : 1;
    return index;
  });
}

/** The number of code points in a string. */
export function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The part of a text between two code point offsets. */
export function slice(text, start, end) {
  const [from, to] = indices(text, [start, end]);
  return text.slice(from, to);
}

/**
 * Split a text that begins at `offset` of its document into pieces: {text, kind}, and {page} at the start of a page. `marks` are
 * {start, end, kind} in offsets of the document, the most important first; `pages` are {number, start}.
 */
export function pieces(text, offset, marks, pages = []) {
  const end = offset + length(text);
  const inside = (place) => place > offset && place < end;
  const bounds = [...marks.flatMap((mark) => [mark.start, mark.end]), ...pages.map((page) => page.start)].filter(inside);
  const cuts = [...new Set([offset, ...bounds, end])].sort((a, b) => a - b);
  const places = indices(text, cuts.map((cut) => cut - offset));
  const starting = new Map(pages.map((page) => [page.start, page.number]));
  const shown = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    if (starting.has(cuts[i])) shown.push({ page: starting.get(cuts[i]) });
    const mark = marks.find((candidate) => candidate.start <= cuts[i] && cuts[i + 1] <= candidate.end);
    shown.push({ text: text.slice(places[i], places[i + 1]), kind: mark ? mark.kind : null });
  }
  return shown;
}

/** The text around the highlight of a passage, cut at words: {before, lit, after}. `around` is code points on each side. */
export function excerpt(passage, around = 180) {
  const { text, start, highlight } = passage;
  const from = highlight ? Math.max(0, highlight.start - start) : 0;
  const to = highlight ? Math.max(from, highlight.end - start) : 0;
  const [left, begin, stop, right] = indices(text, [Math.max(0, from - around), from, to, to + around]);
  return {
    before: left > 0 ? `… ${text.slice(left, begin).replace(/^\S*\s+/, "")}` : text.slice(0, begin),
    lit: text.slice(begin, stop),
    after: right < text.length ? `${text.slice(stop, right).replace(/\s+\S*$/, "")} …` : text.slice(stop),
  };
}
