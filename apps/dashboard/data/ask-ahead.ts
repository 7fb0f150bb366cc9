import { chartQuery } from './charts.ts';
import { queryClient } from './query-client.ts';
import { activeRollouts, finishedRollouts, health, hostFacets, summary, systemStatus } from './questions.ts';
import { sessionQuery, wasSignedIn } from './visit.ts';

/** The charts of the overview. */
export const OVERVIEW_CHARTS = ['bytes_per_second', 'time_to_ready'] as const;
/** The time that the overview looks back, but for health. */
export const OVERVIEW_WINDOW = '24h';
export const OVERVIEW_HEALTH_WINDOW = '1h';

/** What the overview asks. Charts come first, because their summaries are the largest texts; a browser sends six requests at a time. */
const OVERVIEW = [
  ...OVERVIEW_CHARTS.map((chart) => chartQuery(chart, OVERVIEW_WINDOW)),
  ...[systemStatus, hostFacets(), activeRollouts, summary(OVERVIEW_WINDOW)],
  ...[health(OVERVIEW_HEALTH_WINDOW), finishedRollouts],
];

/**
 * Asks who is signed in, and for the data of the overview, while the code of the pages is still loaded. A browser without a session at its
 * last visit asks for no data, because each refused request would be noted as an error.
 *
 * @returns when all is answered, or cannot be
 */
export async function askAhead(path: string): Promise<void> {
  const questions = path === '/' && wasSignedIn() ? OVERVIEW : [];
  await Promise.all([sessionQuery, ...questions].map((question) => queryClient.prefetchQuery<unknown>(question)));
}
