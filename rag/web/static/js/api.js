// The routes of the service. Their paths are relative, so the page also works below a path of a proxy. The only module that
// fetches.
import { events } from "./sse.js";

const STREAM = "text/event-stream";

/** An error of the service; `detail` ends with a hint. If there was no response, `phrase` is the key of a phrase of the page. */
export class Problem extends Error {
  constructor({ title = "", status = 0, detail = "", phrase = "" }) {
    super(detail || title);
    Object.assign(this, { title, status, detail, phrase });
  }
}

/** The value of a cookie, or "". */
export function cookie(name, all) {
  const found = all.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

async function problemOf(reply) {
  const type = reply.headers.get("content-type") ?? "";
  const said = type.includes("json") ? await reply.json().catch(() => ({})) : {};
  return new Problem({ title: reply.statusText, ...said, status: reply.status });
}

async function send(path, { method = "GET", body, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept };
  // The content type of a form contains its boundary, so the browser sets it.
  if (body && !(body instanceof FormData)) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = cookie("rag_csrf", document.cookie);
  const payload = body && !(body instanceof FormData) ? JSON.stringify(body) : body;
  const reply = await fetch(path, { method, headers, body: payload, signal }).catch((error) => {
    throw error.name === "AbortError" ? error : new Problem({ phrase: "problem.unreachable" });
  });
  if (!reply.ok) throw await problemOf(reply);
  return reply;
}

const json = async (path, options) => (await send(path, options)).json();
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
const documentPath = (id) => `v1/documents/${encodeURIComponent(id)}`;

async function* stream(path, options) {
  const reply = await send(path, { ...options, accept: STREAM });
  try {
    for await (const { event, data } of events(reply.body)) yield { kind: event, data: JSON.parse(data) };
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem({ phrase: "problem.cut" });
  }
}

/** The events of an answer: {kind, data}. Empty parameters are not sent. */
export function ask(question, { where, history, signal }) {
  const body = { question, ...(where && { where }), ...(history.length && { history }) };
  return stream("v1/ask", { method: "POST", body, signal });
}

/** {items, total, offset, limit} of the documents whose path contains a text. */
export const documents = ({ offset = 0, limit, contains }) => json(`v1/documents${query({ offset, limit, contains })}`);

/** {items, total} of the files that could not be read, each {id, path, problem}. */
export const unread = () => json("v1/documents/unread");

/** A part of a document's text: {start, end, length, text, pages}. */
export const text = (id, start, end, signal) => json(`${documentPath(id)}/text${query({ start, end })}`, { signal });

/** The path of a document's original file. */
export const original = (id) => `${documentPath(id)}/original`;

export const remove = (id) => json(documentPath(id), { method: "DELETE" });

/** Add files to the documents: {added, job}. */
export function upload(files) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return json("v1/documents", { method: "POST", body: form });
}

/** The states of a job until it ends; `jobs` are all jobs that the service remembers. */
export const job = (id, signal) => stream(`v1/jobs/${encodeURIComponent(id)}`, { signal });
export const jobs = () => json("v1/jobs");

/** Succeeds if questions can be answered; else throws a Problem with a hint. */
export const ready = () => send("health/ready");

/** What the client may do: {scopes, keys_required}. Logging in exchanges a key for a cookie that scripts cannot read. */
export const me = () => json("v1/me");
export const login = (key) => send("login", { method: "POST", body: { key } });
export const logout = () => send("logout", { method: "POST" });
