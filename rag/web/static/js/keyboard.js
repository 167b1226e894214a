// Keyboard shortcuts. Enter and Space are left to the browser, which presses the element with the focus.

/** The command for a key. Pure. `place` is where the focus is: "field", "citation", "reader", "dialog" or "page". */
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

/** Listen for keys. `commands` has a function for each command, which returns whether it did something. */
export function listen(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // an input method uses the key, as for Japanese
    const wanted = command(event, placeOf(event.target));
    if (wanted && commands[wanted]()) event.preventDefault();
  });
}
