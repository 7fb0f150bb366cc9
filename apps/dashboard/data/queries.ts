import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { api } from './api.ts';
import { pollEvery } from './live.ts';
import * as questions from './questions.ts';

/**
 * What the API answers, asked again while the page is visible.
 *
 * @param key its first part is what live events name (data/live.ts); the rest is what was asked for
 */
export const useLive = <Answer>(
  key: readonly unknown[],
  ask: () => Promise<Answer>,
  enabled = true,
): UseQueryResult<Answer> =>
  useQuery({ queryKey: key, queryFn: ask, enabled, refetchInterval: pollEvery }) as UseQueryResult<Answer>;

export const useStatus = () => useLive(questions.systemStatus.queryKey, questions.systemStatus.queryFn);
export const useModels = () => useLive(['models'], () => api.listModels());
export const useHostFacets = (selector?: string, q?: string) => {
  const { queryKey, queryFn } = questions.hostFacets(selector, q);
  return useLive(queryKey, queryFn);
};
export const useActiveRollouts = () => useLive(questions.activeRollouts.queryKey, questions.activeRollouts.queryFn);
export const useFinishedRollouts = () =>
  useLive(questions.finishedRollouts.queryKey, questions.finishedRollouts.queryFn);
export const useSummary = (window: string) => useQuery(questions.summary(window));
export const useHealth = (window: string) => useQuery(questions.health(window));
