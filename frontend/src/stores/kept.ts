// Small lists that stay in this browser; without storage they last as long as the page.

/** Read a list; what does not fit is forgotten. */
export function recall<T>(key: string, fits: (one: unknown) => one is T): T[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(stored) ? stored.filter(fits) : [];
  } catch {
    return [];
  }
}

/** Keep a list; returns false when the browser does not let us. */
export function keep(key: string, list: unknown[]): boolean {
  try {
    localStorage.setItem(key, JSON.stringify(list));
    return true;
  } catch {
    return false;
  }
}
