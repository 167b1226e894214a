// The key, where the service wants one: exchanged for a cookie that no script can read.
import * as api from "./api.js";
import { words } from "./problem.js";

/** What the person may do shows on the page: whether documents can be added, and whether there is a key to give back. */
export async function identify(leave) {
  const { scopes, keys_required: required } = await api.me();
  document.body.dataset.ingest = scopes.includes("ingest") ? "yes" : "no";
  leave.hidden = !(required && scopes.length);
  return Boolean(!required || scopes.length);
}

/** `dialog` has a form with the field `key`; `entered` is told once a key was taken. Gives `ask()`, which opens it. */
export function login(dialog, entered) {
  const form = dialog.querySelector("form");
  const said = dialog.querySelector("[role=alert]");

  async function submit(event) {
    event.preventDefault();
    try {
      await api.login(form.elements.key.value.trim());
      form.reset();
      said.textContent = "";
      dialog.close();
      entered();
    } catch (error) {
      said.textContent = words(error);
    }
  }

  form.addEventListener("submit", submit);
  return { ask: () => dialog.open || dialog.showModal() };
}
