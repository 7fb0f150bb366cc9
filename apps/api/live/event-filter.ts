import type { EventTopic, LiveEvent } from '#contracts/http/events';
import { hostKey } from '#core/text/host-name';

/** What a client wants to hear of. */
export interface EventFilter {
  readonly topics: readonly EventTopic[];
  readonly rollout?: string | undefined;
  readonly host?: string | undefined;
  readonly download?: string | undefined;
}

const TOPIC_OF: Readonly<Record<Exclude<LiveEvent['type'], 'reread'>, EventTopic>> = {
  'download.changed': 'downloads',
  'rollout.progress': 'rollouts',
  'host.changed': 'hosts',
  'source.changed': 'sources',
  'notice.added': 'notices',
  model_download_progress: 'progress',
  download_complete: 'progress',
};

/** @returns a text that is the same for filters that let the same events pass */
export const filterKey = ({ topics, rollout, host, download }: EventFilter): string =>
  JSON.stringify([topics.toSorted(), rollout, host && hostKey(host), download]);

/** Each filter counts only for events that name such a thing. */
export function passes(event: LiveEvent, { topics, rollout, host, download }: EventFilter): boolean {
  if (event.type === 'reread') return true;
  const topic = TOPIC_OF[event.type];
  if (!topics.includes(topic)) return false;
  if (event.type === 'rollout.progress') return rollout === undefined || event.id === rollout;
  if (host !== undefined && !isOfHost(event, hostKey(host))) return false;
  return download === undefined || (topic !== 'downloads' && topic !== 'progress') || idOf(event) === download;
}

const idOf = (event: LiveEvent): string | undefined => ('id' in event ? event.id : undefined);

function isOfHost(event: LiveEvent, wanted: string): boolean {
  if (event.type === 'source.changed') return true;
  const host = event.type === 'host.changed' ? event.id : 'host' in event ? event.host : null;
  return host !== null && hostKey(host) === wanted;
}
