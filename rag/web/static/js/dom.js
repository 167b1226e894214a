// Nodes. What comes from documents and people goes in as text, and there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";

const there = (children) => children.flat(2).filter((child) => child != null && child !== false && child !== "");

/** An element. Functions are listeners, true and false are attributes there or not; children are nodes, strings or nothing. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...there(children));
  return node;
}

/** One of the pictures of index.html, for the eye only. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** A thin bar that is full at 1, for the eye only: the number stands beside it. */
export function bar(share) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "bar");
  picture.setAttribute("viewBox", "0 0 100 6");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  for (const [part, width] of [["bar-whole", 100], ["bar-part", 100 * share]]) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", part);
    rect.setAttribute("width", width);
    rect.setAttribute("height", 6);
    picture.append(rect);
  }
  return picture;
}

/** New children for a node; what has the focus keeps it where its `data-key` comes again. */
export function redraw(node, ...children) {
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren(...there(children));
  if (key) node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

/** Tells those who listen to a screen reader. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}
