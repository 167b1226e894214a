// New documents: by button, or dropped anywhere on the page.
import * as api from "./api.js";
import { announce, redraw } from "./dom.js";
import { t } from "./i18n.js";
import { failure, words } from "./problem.js";

// What the service takes: bytes of a file, files at once, and bytes of those together.
export const MOST_BYTES = 50_000_000;
const MOST_FILES = 20;
const MOST_AT_ONCE = 200_000_000;

/** What can be sent, and the names of what is larger than the service takes. */
export function sorted(files) {
  const small = [...files].filter((file) => file.size <= MOST_BYTES);
  return { small, large: [...files].filter((file) => file.size > MOST_BYTES).map((file) => file.name) };
}

/** Files in as many groups as it takes for each to be taken. */
export function groups(files) {
  const made = [];
  let bytes = 0;
  for (const file of files) {
    bytes += file.size;
    if (!made.length || made.at(-1).length === MOST_FILES || bytes > MOST_AT_ONCE) {
      made.push([]);
      bytes = file.size;
    }
    made.at(-1).push(file);
  }
  return made;
}

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** `zone` has the button, the input and a line for what was said. `begun` is told of the job, `refused` of a problem. */
export function uploads(zone, { begun, refused }) {
  const [input, said] = [zone.querySelector("input[type=file]"), zone.querySelector(".upload-said")];
  let depth = 0;

  const lines = (texts) => redraw(said, texts.map((text) => failure(text)));

  async function send(files) {
    const { small, large } = sorted(files);
    lines(large.map((name) => t("upload.large", { name })));
    if (!small.length) return;
    zone.setAttribute("aria-busy", "true");
    announce(t("upload.sending", { count: small.length }));
    try {
      for (const group of groups(small)) {
        const { added, job } = await api.upload(group);
        announce(t("upload.added", { count: added.length }));
        begun(job);
      }
    } catch (error) {
      lines([words(error)]);
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
