// The filter of a question, in the language of the service: `language="id" and folder="news" and date>="2026-01-01"`.

// The language quotes values and has no sign for a quotation mark within one.
const quoted = (value) => `"${value.replaceAll('"', "")}"`;

/** The condition that these choices make; empty where nothing is chosen. Dates are ISO days, months or years, ends included. */
export function condition({ language = "", folder = "", from = "", to = "" }) {
  const parts = [
    language && `language=${quoted(language)}`,
    folder.trim() && `folder=${quoted(folder.trim())}`,
    from && `date>=${quoted(from)}`,
    to && `date<=${quoted(to)}`,
  ];
  return parts.filter(Boolean).join(" and ");
}

/** The folders that these paths lie in, each once, also those between: `a/b/c.txt` lies in `a` and in `a/b`. */
export function folders(paths) {
  const above = (path) => path.split("/").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  return [...new Set(paths.flatMap(above))].filter((folder) => !folder.includes('"')).sort();
}
