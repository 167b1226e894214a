// What the browser remembers of a person's choices. A browser that keeps nothing is no error.

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
    // The choice holds until the page is closed.
  }
}
