import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '#client/api-error';
import { allows, type Scope } from '#core/scopes';
import type { Me, UserMe } from '#contracts/http/access/session';
import { api } from './api.ts';
import { SESSION_KEY } from './query-client.ts';

export type Visit =
  /** `wasSignedIn`: this browser had a session at its last visit, and most likely has it still. */
  | { readonly state: 'loading'; readonly wasSignedIn: boolean }
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
  const me = readHint() ? await meOrNothing() : undefined;
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

function readHint(): boolean {
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

export function useSession(): Visit {
  const { data, error } = useQuery({ queryKey: SESSION_KEY, queryFn: askSession, staleTime: Infinity });
  const [wasSignedIn] = useState(readHint);
  if (data !== undefined) return data;
  return error === null ? { state: 'loading', wasSignedIn } : { state: 'unreachable', error };
}

/** Whether the signed-in person may do what needs the scope; false until that is known. The API refuses it as well: pages only leave out what would be refused. */
export function useMay(scope: Scope): boolean {
  const session = useSession();
  return session.state === 'signed-in' && allows(session.me.scopes, scope);
}

/** False for a token. */
export const isUser = (me: Me): me is UserMe => me.kind === 'user';
