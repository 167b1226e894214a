// New documents: by button, or dropped anywhere on the page.
import * as api from "./api.js";
import { announce, el, icon, redraw } from "./dom.js";
import { t } from "./i18n.js";

export const MOST_BYTES = 50_000_000;

/** What can be sent, and the names of what is larger than the service takes. */
export function sorted(files) {
  const small = [...files].filter((file) => file.size <= MOST_BYTES);
  return { small, large: [...files].filter((file) => file.size > MOST_BYTES).map((file) => file.name) };
}

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** `zone` has the button, the file input and a line for what was said. `begun` is told of the job, `refused` of what was not taken. */
export function uploads(zone, { begun, refused }) {
  const [input, said] = [zone.querySelector("input[type=file]"), zone.querySelector(".upload-said")];
  let depth = 0;

  const lines = (texts) => redraw(said, texts.map((text) => el("p", { class: "failure", role: "alert" }, icon("warning"), text)));

  async function send(files) {
    const { small, large } = sorted(files);
    lines(large.map((name) => t("upload.large", { name })));
    if (!small.length) return;
    zone.setAttribute("aria-busy", "true");
    announce(t("upload.sending", { count: small.length }));
    try {
      const { added, job } = await api.upload(small);
      announce(t("upload.added", { count: added.length }));
      begun(job);
    } catch (error) {
      lines([error.status === 0 ? t("problem.unreachable") : error.message]);
      refused(error);
    } finally {
      zone.removeAttribute("aria-busy");
      input.value = ""; // the same file may be chosen again
    }
  }

  const over = (is) => {
    document.body.dataset.dropping = is ? "yes" : "no";
  };
  zone.querySelector("button").addEventListener("click", () => input.click());
  input.addEventListener("change", () => send(input.files));
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) over(Boolean((depth += 1)));
  });
  document.addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) over(Boolean((depth = Math.max(0, depth - 1))));
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    location.hash = "documents";
    send(event.dataTransfer.files);
  });
}
