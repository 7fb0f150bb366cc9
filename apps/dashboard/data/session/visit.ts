import { ApiError } from '#client/api-error';
import type { Me } from '#contracts/http/access/session';
import { api } from '../api.ts';
import { SESSION_KEY } from '../query-client.ts';

export type Visit =
  /** `hadSession`: this browser had a session at its last visit, and most likely has it still. */
  | { readonly state: 'loading'; readonly hadSession: boolean }
  | { readonly state: 'setup' }
  | { readonly state: 'signed-out' }
  | { readonly state: 'unreachable'; readonly error: Error }
  | { readonly state: 'signed-in'; readonly me: Me };

/** Holds nothing secret: it says that there was a session, and the API alone knows whether there is one. */
const HINT = 'haulier.signed-in';

/**
 * Without a session at the last visit the first question is one that needs none, so that a browser notes no failed request while the
 * sign-in page is shown.
 */
async function askSession(): Promise<Visit> {
  const me = wasSignedIn() ? await meOrNothing() : undefined;
  if (me !== undefined) return { state: 'signed-in', me };
  const { signedIn, needsSetup } = await api.getSessionState();
  keepHint(signedIn);
  if (signedIn) return { state: 'signed-in', me: await api.getMe() };
  return { state: needsSetup ? 'setup' : 'signed-out' };
}

async function meOrNothing(): Promise<Me | undefined> {
  try {
    return await api.getMe();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

/** Whether this browser had a session at its last visit. */
export function wasSignedIn(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return false;
  }
}

function keepHint(isSignedIn: boolean): void {
  try {
    if (isSignedIn) localStorage.setItem(HINT, '1');
    else localStorage.removeItem(HINT);
  } catch {
    // Without storage the next visit asks one question more.
  }
}

/** The next visit finds no session. */
export const forgetVisit = (): void => keepHint(false);

/** The question who is signed in; signing in and out make its answer old. */
export const sessionQuery = { queryKey: SESSION_KEY, queryFn: askSession, staleTime: Infinity };
