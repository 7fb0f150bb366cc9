import { useEffect, useSyncExternalStore } from 'react';
import { SECOND_MS } from '#core/units';
import { queryClient } from './query-client.ts';

/**
 * How the page learns of changes. `live`: the server tells; `polling`: the page asks every few seconds, because the stream of events is
 * away; `paused`: the tab is hidden.
 */
export type Listening = 'live' | 'polling' | 'paused';

/** The first part of a query's key that each topic of events makes old. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  downloads: ['downloads', 'download', 'status', 'model'],
  rollouts: ['rollouts', 'rollout', 'swarms'],
  hosts: ['hosts', 'host'],
  sources: ['sources', 'metrics'],
  notices: ['status'],
};

const TOPICS = Object.keys(KEYS);
/** Notices of so long cost one round of requests; a big fleet reports without a pause, and its pages are the dearest to answer. */
const COALESCE_MS: Readonly<Record<string, number>> = { hosts: 5 * SECOND_MS, downloads: 2 * SECOND_MS };
const COALESCE_OTHERS_MS = SECOND_MS;
/** Pause between questions while no event tells of changes. */
export const POLL_MS = 5 * SECOND_MS;
/** Pause between questions beside live events: what changes without an event, such as "offline", is seen too. */
const LIVE_POLL_MS = 30 * SECOND_MS;
const RECONNECT_MS = 5 * SECOND_MS;

let state: Listening = 'polling';
const listeners = new Set<() => void>();

function setState(next: Listening): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useListening = (): Listening => useSyncExternalStore(subscribe, () => state);

/** For `refetchInterval`: rarely beside live events, often without. */
export const pollEvery = (): number => (state === 'live' ? LIVE_POLL_MS : POLL_MS);

/** Listens to the events of the server while the tab is visible, and lets queries that they concern be asked again. */
export function useLiveEvents(isSignedIn: boolean): void {
  useEffect(() => {
    if (!isSignedIn) return;
    const ears = listen();
    return () => ears.stop();
  }, [isSignedIn]);
}

function listen(): { stop: () => void } {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const refresh = createRefresh();
  const close = (): void => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = (): void => {
    close();
    source = new EventSource(`/api/events?topics=${TOPICS.join(',')}`);
    source.onopen = () => setState('live');
    source.onerror = () => {
      // The browser reconnects by itself, but not after an answer such as 503.
      setState('polling');
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, RECONNECT_MS);
    };
    for (const [type, topic] of Object.entries(EVENT_TOPICS)) source.addEventListener(type, () => refresh.heard(topic));
    source.addEventListener('reread', () => void queryClient.invalidateQueries());
  };
  const onVisibility = (): void => {
    if (document.hidden) {
      close();
      setState('paused');
      return;
    }
    setState('polling');
    open();
    void queryClient.invalidateQueries();
  };
  document.addEventListener('visibilitychange', onVisibility);
  if (document.hidden) setState('paused');
  else open();
  return {
    stop: () => {
      document.removeEventListener('visibilitychange', onVisibility);
      refresh.stop();
      close();
      setState('polling');
    },
  };
}

/** Lets queries be asked again that a topic makes old, once for all notices of a while. */
function createRefresh() {
  const waiting = new Map<string, ReturnType<typeof setTimeout>>();
  return {
    heard: (topic: string): void => {
      if (waiting.has(topic)) return;
      const refresh = (): void => {
        waiting.delete(topic);
        const first = new Set(KEYS[topic] ?? []);
        void queryClient.invalidateQueries({ predicate: ({ queryKey }) => first.has(String(queryKey[0])) });
      };
      waiting.set(topic, setTimeout(refresh, COALESCE_MS[topic] ?? COALESCE_OTHERS_MS));
    },
    stop: (): void => {
      for (const each of waiting.values()) clearTimeout(each);
    },
  };
}

/** Types of events, by the topic that they belong to. */
const EVENT_TOPICS: Readonly<Record<string, string>> = {
  'download.changed': 'downloads',
  'rollout.progress': 'rollouts',
  'host.changed': 'hosts',
  'source.changed': 'sources',
  'notice.added': 'notices',
};
