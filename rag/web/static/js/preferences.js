// Choices of the user (theme, language) in localStorage. Without storage the page works too.

export function remembered(key) {
  try {
    return localStorage.getItem(`rag.${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`rag.${key}`, value);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}
