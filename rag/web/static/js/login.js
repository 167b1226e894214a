// Login: exchanges the API key for a cookie that scripts cannot read.
import * as api from "./api.js";
import { words } from "./problem.js";

/** Adapt the page to what the user may do: upload documents, log out. Returns whether the service can be used. */
export async function identify(logout) {
  const { scopes, keys_required: required } = await api.me();
  document.body.dataset.ingest = scopes.includes("ingest") ? "yes" : "no";
  logout.hidden = !(required && scopes.length);
  return Boolean(!required || scopes.length);
}

/** `dialog` has a form with the field `key`. `onLogin` is called after a login. Returns {ask}, which opens the dialog. */
export function login(dialog, onLogin) {
  const form = dialog.querySelector("form");
  const message = dialog.querySelector("[role=alert]");

  async function submit(event) {
    event.preventDefault();
    try {
      await api.login(form.elements.key.value.trim());
      form.reset();
      message.textContent = "";
      dialog.close();
      onLogin();
    } catch (error) {
      message.textContent = words(error);
    }
  }

  form.addEventListener("submit", submit);
  return { ask: () => dialog.open || dialog.showModal() };
}
