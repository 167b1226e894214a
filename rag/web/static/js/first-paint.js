// Applies the chosen theme before the first paint, so that the other theme does not flash. A classic script, because modules run
// later.
try {
  const theme = localStorage.getItem("rag.theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the theme follows the system.
}
