// What is typed while a part of the page with a text field is still being loaded: kept for the field.

export interface TypeAhead {
  /** End it, and return what was typed. */
  take: () => string;
}

/** The text after one more key; null when the key is no part of a text. */
export function typed(text: string, key: string): string | null {
  if (key === "Backspace") return [...text].slice(0, -1).join("");
  return [...key].length === 1 ? text + key : null;
}

/** Keep keys from everybody else until they are taken. */
export function typeAhead(): TypeAhead {
  let text = "";

  function pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const next = typed(text, event.key);
    if (next === null) return;
    text = next;
    event.preventDefault();
    event.stopPropagation();
  }

  window.addEventListener("keydown", pressed, { capture: true });
  return {
    take: () => {
      window.removeEventListener("keydown", pressed, { capture: true });
      return text;
    },
  };
}
