// What keys do, wherever the focus is. Enter and Space press what has it, as the browser does it.

/** The command of a key: pure. `place` says where the focus is: "field", "citation", "reader", "dialog" or "page". */
export function command({ key, ctrlKey, metaKey, altKey, shiftKey }, place) {
  if (ctrlKey || metaKey || altKey || place === "dialog") return null;
  if (key === "Escape") return "leave";
  if (place === "field") return null;
  if (key === "/") return "question";
  if (shiftKey || !["citation", "reader"].includes(place)) return null;
  if (key === "ArrowRight") return "next";
  return key === "ArrowLeft" ? "previous" : null;
}

function placeOf(node) {
  if (document.querySelector("dialog[open]")) return "dialog";
  if (node.closest("input, textarea, select, [contenteditable]")) return "field";
  if (node.closest(".citation")) return "citation";
  return node.closest("#reader") ? "reader" : "page";
}

/** Listen for keys; `commands` has a function for each command, which says whether it did something. */
export function listen(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // the key belongs to what is being written, as in Japanese
    const wanted = command(event, placeOf(event.target));
    if (wanted && commands[wanted]()) event.preventDefault();
  });
}
