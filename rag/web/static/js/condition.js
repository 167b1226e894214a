// The parameter `where` of the service, from the choices in the filter panel. Pure.
// For example: language="id" and folder="news" and date>="2026-01-01"

// Values are quoted, and a quotation mark within one cannot be escaped: so it is removed.
const quoted = (value) => `"${value.replaceAll('"', "")}"`;

/** The condition for these choices; empty without a choice. Dates are ISO days, months or years, inclusive. */
export function condition({ language = "", folder = "", from = "", to = "" }) {
  const parts = [
    language && `language=${quoted(language)}`,
    folder.trim() && `folder=${quoted(folder.trim())}`,
    from && `date>=${quoted(from)}`,
    to && `date<=${quoted(to)}`,
  ];
  return parts.filter(Boolean).join(" and ");
}

/** The folders of these paths, each once, with their parents: for `a/b/c.txt` they are `a` and `a/b`. */
export function folders(paths) {
  const above = (path) => path.split("/").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  return [...new Set(paths.flatMap(above))].filter((folder) => !folder.includes('"')).sort();
}
