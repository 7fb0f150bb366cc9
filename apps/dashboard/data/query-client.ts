import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError } from '#client/api-error';
import { MINUTE_MS, SECOND_MS } from '#core/units';

/** Key of the question who is signed in. */
export const SESSION_KEY = ['session'];

const MAX_RETRIES = 2;

/** A request that the session no longer allows shows the sign-in page; the address stays, so that signing in leads back to it. */
function noticeSignedOut(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) void queryClient.invalidateQueries({ queryKey: SESSION_KEY });
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (query.queryKey[0] !== SESSION_KEY[0]) noticeSignedOut(error);
    },
  }),
  mutationCache: new MutationCache({ onError: noticeSignedOut }),
  defaultOptions: {
    queries: {
      staleTime: 2 * SECOND_MS,
      gcTime: 5 * MINUTE_MS,
      // An answer that refuses is the same a second later; one that never came may come.
      retry: (failures, error) => failures < MAX_RETRIES && !(error instanceof ApiError && error.status < 500),
      placeholderData: (previous: unknown) => previous,
    },
  },
});
