// Elements. Text of documents and users is only ever inserted as text nodes; no other module creates elements.

const SVG = "http://www.w3.org/2000/svg";

const present = (children) => children.flat(2).filter((child) => child != null && child !== false && child !== "");

/**
 * Create an element. An attribute that is a function becomes a listener; true and false set or omit an attribute. Children are
 * nodes, strings, or null, false and "", which are ignored.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...present(children));
  return node;
}

/** An icon of index.html, hidden from screen readers. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  picture.append(use);
  return picture;
}

/** A thin bar that is full at 1, hidden from screen readers: the number is beside it. */
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

/** Replace the children of a node. The focus moves to the new element with the same `data-key`. */
export function redraw(node, ...children) {
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren(...present(children));
  if (key) node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

/** Announce a text to screen readers. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}
