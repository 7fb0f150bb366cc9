import { useSyncExternalStore } from 'react';

/** What this browser remembers; nothing of it is secret, and nothing of it goes to the server. */
export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark';
  readonly clock: 'relative' | 'local' | 'utc';
}

const KEY = 'haulier.preferences';
const DEFAULTS: Preferences = { theme: 'system', clock: 'relative' };

const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) };
  } catch {
    // Storage may be blocked, or hold what another version wrote: the defaults are right then.
    return DEFAULTS;
  }
}

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
  applyTheme();
  for (const listener of listeners) listener();
}

export const usePreferences = (): Preferences => useSyncExternalStore(subscribe, () => current);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** `system` leaves the choice to the browser. */
export function applyTheme(): void {
  if (current.theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = current.theme;
}
