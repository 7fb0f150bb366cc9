import { useState } from 'react';

interface View {
  readonly name: string;
  /** The query of the address. */
  readonly query: string;
}

const keyOf = (page: string): string => `haulier.views.${page}`;

/** Views of a page that this browser keeps. */
export function useSavedViews(page: string) {
  const [views, setViews] = useState(() => readViews(page));
  const keep = (next: readonly View[]): void => {
    setViews(next);
    try {
      localStorage.setItem(keyOf(page), JSON.stringify(next));
    } catch {
      // Without storage the view lasts until the page is closed.
    }
  };
  return {
    views,
    save: (view: View) => keep([...views.filter(({ name }) => name !== view.name), view]),
    remove: (name: string) => keep(views.filter((view) => view.name !== name)),
  };
}

function readViews(page: string): readonly View[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(keyOf(page)) ?? '[]');
    return Array.isArray(stored) ? (stored as View[]) : [];
  } catch {
    return [];
  }
}
