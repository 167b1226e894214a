// Uploads: files chosen with the button, or dropped anywhere on the page.
import * as api from "./api.js";
import { announce, el, redraw } from "./dom.js";
import { t } from "./i18n.js";
import { failure, words } from "./problem.js";

// Limits of the service: bytes of a file, files in a request, and bytes of a request.
export const MOST_BYTES = 50_000_000;
const MOST_FILES = 20;
const MOST_AT_ONCE = 200_000_000;

/** The files that can be sent, and the names of those over the size limit. */
export function sorted(files) {
  const small = [...files].filter((file) => file.size <= MOST_BYTES);
  return { small, large: [...files].filter((file) => file.size > MOST_BYTES).map((file) => file.name) };
}

/** The files in groups within the limits of a request. */
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

/** `zone` has the button, the input and a place for messages. `onJob` is called with each job, `onProblem` with each problem. */
export class Uploads {
  #zone;
  #input;
  #callbacks;
  #depth = 0; // of nested elements that files are dragged over: leaving one is not leaving the page

  constructor(zone, callbacks) {
    this.#zone = zone;
    this.#callbacks = callbacks;
    this.#input = zone.querySelector("input[type=file]");
    zone.querySelector("button").addEventListener("click", () => this.#input.click());
    this.#input.addEventListener("change", () => this.#send(this.#input.files));
    for (const kind of ["dragenter", "dragleave", "dragover", "drop"]) {
      document.addEventListener(kind, (event) => carriesFiles(event) && this.#dragged(event));
    }
  }

  #dragged(event) {
    event.preventDefault(); // else the browser would open the file
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
      this.#callbacks.onProblem(error);
    } finally {
      this.#zone.removeAttribute("aria-busy");
      this.#input.value = ""; // so that the same file can be chosen again
    }
  }

  async #sendGroup(group) {
    const { added, job } = await api.upload(group);
    announce(t("upload.added", { count: added.length }));
    this.#callbacks.onJob(job);
  }

  /** Show error messages, and below them the progress. */
  #show(lines, under = null) {
    redraw(this.#zone.querySelector(".upload-said"), lines.map(failure), under);
  }
}
