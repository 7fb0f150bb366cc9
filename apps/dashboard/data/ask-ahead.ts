import { ACTIVE_ROLLOUTS, OVERVIEW_ASKS } from '#contracts/http/overview-asks';
import { chartQuery } from './charts.ts';
import { queryClient } from './query-client.ts';
import { activeRollouts, finishedRollouts, health, hostFacets, summary, systemStatus } from './questions.ts';
import { sessionQuery, wasSignedIn } from './session/visit.ts';

/** The question of the pages that leads to an address. */
function questionOf(ask: (typeof OVERVIEW_ASKS)[number]) {
  switch (ask.path) {
    case '/api/me':
      return sessionQuery;
    case '/api/metrics/query':
      return chartQuery(ask.query.chart, ask.query.window);
    case '/api/status':
      return systemStatus;
    case '/api/host-facets':
      return hostFacets();
    case '/api/rollouts':
      return ask.query === ACTIVE_ROLLOUTS ? activeRollouts : finishedRollouts;
    case '/api/metrics/summary':
      return summary(ask.query.window);
    case '/api/metrics/health':
      return health(ask.query.window);
  }
}

/**
 * Asks who is signed in, and for the data of the overview, while the code of the pages is still loaded. A browser without a session at its
 * last visit asks for no data, because each refused request would be noted as an error.
 *
 * @returns when all is answered, or cannot be
 */
export async function askAhead(path: string): Promise<void> {
  const questions = path === '/' && wasSignedIn() ? OVERVIEW_ASKS.map(questionOf) : [sessionQuery];
  await Promise.all(questions.map((question) => queryClient.prefetchQuery<unknown>(question)));
}
