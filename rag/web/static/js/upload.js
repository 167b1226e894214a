// New documents: by button, or dropped anywhere on the page.
import * as api from "./api.js";
import { announce, el, redraw } from "./dom.js";
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
export class Uploads {
  #zone;
  #input;
  #told;
  #depth = 0; // of the elements that files are dragged over: leaving one is not leaving the page

  constructor(zone, told) {
    this.#zone = zone;
    this.#told = told;
    this.#input = zone.querySelector("input[type=file]");
    zone.querySelector("button").addEventListener("click", () => this.#input.click());
    this.#input.addEventListener("change", () => this.#send(this.#input.files));
    for (const kind of ["dragenter", "dragleave", "dragover", "drop"]) {
      document.addEventListener(kind, (event) => carriesFiles(event) && this.#dragged(event));
    }
  }

  #dragged(event) {
    event.preventDefault(); // else the browser opens the file
    if (event.type === "dragenter") this.#depth += 1;
    if (event.type === "dragleave") this.#depth = Math.max(0, this.#depth - 1);
    if (event.type === "drop") {
      this.#depth = 0;
      location.hash = "documents";
      this.#send(event.dataTransfer.files);
    }
    document.body.dataset.dropping = this.#depth ? "yes" : "no";
  }

  async #send(files) {
    const { small, large } = sorted(files);
    const lines = large.map((name) => t("upload.large", { name }));
    this.#show(lines);
    if (!small.length) return;
    this.#zone.setAttribute("aria-busy", "true");
    const sending = t("upload.sending", { count: small.length });
    announce(sending);
    this.#show(lines, el("p", { class: "progress" }, el("span", { class: "pulse", "aria-hidden": "true" }), sending));
    try {
      for (const group of groups(small)) await this.#sendGroup(group);
      this.#show(lines);
    } catch (error) {
      this.#show([...lines, words(error)]);
      this.#told.refused(error);
    } finally {
      this.#zone.removeAttribute("aria-busy");
      this.#input.value = ""; // the same file may be chosen again
    }
  }

  async #sendGroup(group) {
    const { added, job } = await api.upload(group);
    announce(t("upload.added", { count: added.length }));
    this.#told.begun(job);
  }

  /** What was refused, and what is going on. */
  #show(lines, under = null) {
    redraw(this.#zone.querySelector(".upload-said"), lines.map(failure), under);
  }
}
