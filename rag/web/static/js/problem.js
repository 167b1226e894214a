// What went wrong, in words: the service's own end with what mends it.
import { el, icon } from "./dom.js";
import { t } from "./i18n.js";

/** A problem that no service told of: its `phrase` is one of ours. */
export const ours = (phrase) => ({ phrase });

export const words = (problem) => (problem.phrase ? t(problem.phrase) : problem.detail || problem.title);

/** A line that stands out, and is said at once. */
export const failure = (text) => el("p", { class: "failure", role: "alert" }, icon("warning"), text);
