// Connects the parts of the page, and switches between its two views.
import * as api from "./api.js";
import { Conversation } from "./conversation.js";
import { DocumentList } from "./documents.js";
import { Filters } from "./filters.js";
import { languageSwitch, onLanguage, t } from "./i18n.js";
import { Jobs } from "./jobs.js";
import { forget } from "./persistence.js";
import { listen } from "./keyboard.js";
import { identify, login } from "./login.js";
import { words } from "./problem.js";
import { Reader } from "./reader.js";
import { key } from "./turn.js";
import { themeSwitch } from "./theme.js";
import { UnreadFiles } from "./unread.js";
import { Uploads } from "./upload.js";

const at = (id) => document.getElementById(id);
const [notice, tally] = [at("notice"), at("tally")];

/** Mark the buttons of the open place as current; null if no place is open. */
function showOpen(place) {
  for (const button of document.querySelectorAll("[data-place]")) {
    if (place && button.dataset.place === key(place)) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

/** Go to the next or previous source: in the reader if it is open, else among the citations. */
function step(by) {
  if (read.move(by)) return true;
  const citations = [...document.querySelectorAll(".citation")];
  const here = citations.indexOf(document.activeElement);
  const next = here < 0 ? undefined : citations[here + by];
  next?.focus();
  return Boolean(next);
}

const dialog = login(at("login"), () => start());
const onProblem = (error) => error.status === 401 && dialog.ask();
const read = new Reader(at("reader"), showOpen);
const open = (places, index) => read.open(places, index);
const filter = new Filters(at("filters"));
const talk = new Conversation({ form: at("ask-form"), list: at("turns"), filter, open, onProblem });
const builds = new Jobs(at("jobs"), () => {
  filter.forget();
  load();
  welcome();
});
const onJob = (job) => builds.follow(job);
const list = new DocumentList(at("view-documents"), { dialog: at("confirm"), open, onJob, onProblem });
const unread = new UnreadFiles(at("unread"), { dialog: at("confirm"), onJob, onProblem });
new Uploads(at("upload"), { onJob, onProblem });

function load() {
  list.load();
  unread.load();
}

function route() {
  const inDocuments = location.hash === "#documents";
  at("view-ask").hidden = inDocuments;
  at("view-documents").hidden = !inDocuments;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === (inDocuments ? "#documents" : "#ask")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${t(inDocuments ? "nav.documents" : "nav.ask")} · rag`;
  if (inDocuments) load();
}

let count = null;
const showCount = () => {
  tally.textContent = count == null ? "" : t(count ? "welcome.count" : "welcome.empty", { count });
};

/** Show whether questions can be answered, and the number of documents. Returns false if a login is needed first. */
async function welcome() {
  try {
    if (!(await identify(at("logout")))) {
      dialog.ask();
      return false;
    }
    count = (await api.documents({ limit: 1 })).total;
    await api.ready();
    notice.hidden = true;
  } catch (error) {
    notice.textContent = words(error);
    notice.hidden = error.status === 401;
    onProblem(error);
  }
  showCount();
  return true;
}

async function start() {
  if (!(await welcome())) return forget(); // without a login nothing of an earlier conversation is shown
  talk.restore();
  builds.resume().catch(() => {}); // without a list of jobs there is nothing to follow
  if (location.hash === "#documents") load();
}

function toQuestion() {
  location.hash = "ask";
  route();
  talk.focus();
  return true;
}

languageSwitch(at("language"));
themeSwitch(at("theme"));
listen({ question: toQuestion, leave: () => read.close() || talk.end(), next: () => step(1), previous: () => step(-1) });
at("logout").addEventListener("click", async () => {
  await api.logout();
  talk.clear();
  location.reload();
});
at("anew").addEventListener("click", () => talk.clear());
addEventListener("hashchange", route);
onLanguage(() => {
  route();
  showCount();
});
route();
start();
