import { useQuery } from '@tanstack/react-query';
import { allows, type Scope } from '#core/scopes';
import type { Me, UserMe } from '#contracts/http/access/session';
import { api } from './api.ts';
import { SESSION_KEY } from './query-client.ts';

export type Visit =
  | { readonly state: 'loading' }
  | { readonly state: 'setup' }
  | { readonly state: 'signed-out' }
  | { readonly state: 'unreachable'; readonly error: Error }
  | { readonly state: 'signed-in'; readonly me: Me };

/** The first question needs no session, so that a browser notes no failed request while the sign-in page is shown. */
async function askSession(): Promise<Visit> {
  const { signedIn, needsSetup } = await api.getSessionState();
  if (signedIn) return { state: 'signed-in', me: await api.getMe() };
  return { state: needsSetup ? 'setup' : 'signed-out' };
}

export function useSession(): Visit {
  const { data, error } = useQuery({ queryKey: SESSION_KEY, queryFn: askSession, staleTime: Infinity });
  if (data !== undefined) return data;
  return error === null ? { state: 'loading' } : { state: 'unreachable', error };
}

/** Whether the signed-in person may do what needs the scope. The API refuses it as well: pages only leave out what would be refused. */
export function useMay(scope: Scope): boolean {
  const session = useSession();
  return session.state === 'signed-in' && allows(session.me.scopes, scope);
}

/** False for a token. */
export const isUser = (me: Me): me is UserMe => me.kind === 'user';
