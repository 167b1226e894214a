// Runs before anything is drawn, so that a chosen theme does not flash. No module: those come later.
try {
  const theme = localStorage.getItem("rag.theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}
