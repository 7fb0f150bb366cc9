import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { allows, type Scope } from '#core/scopes';
import type { Me, UserMe } from '#contracts/http/access/session';
import { sessionQuery, wasSignedIn, type Visit } from './visit.ts';

export function useSession(): Visit {
  const { data, error } = useQuery(sessionQuery);
  const [hadSession] = useState(wasSignedIn);
  if (data !== undefined) return data;
  return error === null ? { state: 'loading', hadSession } : { state: 'unreachable', error };
}

/** Whether the signed-in person may do what needs the scope; false until that is known. The API refuses it as well: pages only leave out what would be refused. */
export function useMay(scope: Scope): boolean {
  const session = useSession();
  return session.state === 'signed-in' && allows(session.me.scopes, scope);
}

/** False for a token. */
export const isUser = (me: Me): me is UserMe => me.kind === 'user';
