import type { ListedSource } from '#contracts/http/sources';
import type { SourceChanged } from '#contracts/http/events';
import { rank } from '#core/ranking';
import { groupBy, statsOf, type TrySum } from '#database/history/try-sums';
import type { SourceRow } from '#database/sources/source-queries';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

/** The same source has the same id for ever. */
export const sourceId = (origin: string): string => Buffer.from(origin).toString('base64url');

/** What the tries of the last hour and the last day were. */
export interface SourceTries {
  readonly hour: readonly TrySum[];
  readonly day: readonly TrySum[];
}

/** A source that manifests name comes behind those that are configured. */
const BEHIND = 1000;
const UP_FROM = 0.9;
const DEGRADED_FROM = 0.5;

/** Sources as the API shows them: by layer, and in each layer those that an admin ordered, then the best first. */
export function sourceViews(rows: readonly SourceRow[], tries: SourceTries): ListedSource[] {
  const dayBytes = tries.day.reduce((sum, { bytes }) => sum + bytes, 0);
  return [...groupBy(rows, ({ layer }) => layer).values()].flatMap((ofLayer) => {
    const inOrder = ofLayer.toSorted((a, b) => (a.configuredPlace ?? BEHIND) - (b.configuredPlace ?? BEHIND));
    const candidates = inOrder.map((row) => ({
      ...{ name: nameOf(row), health: healthOf(row, tries), setPlace: row.setPlace ?? undefined },
    }));
    return rank(candidates).map(({ name, score, why }, index) => {
      const row = inOrder.find((one) => nameOf(one) === name)!;
      return { ...sourceView(row, tries, dayBytes), place: index + 1, score, why };
    });
  });
}

const nameOf = ({ kind, origin }: SourceRow): string => `${kind} ${origin}`;

/** Of the fleet: what workers say now goes before what tries said in the last hour. */
function healthOf(row: SourceRow, { hour }: SourceTries) {
  const window = windowOf(row, hour);
  return {
    successRate: row.successRate ?? window.successRate ?? undefined,
    bytesPerSecond: row.bytesPerSecond ?? undefined,
  };
}

function sourceView(
  row: SourceRow,
  tries: SourceTries,
  dayBytes: number,
): Omit<ListedSource, 'place' | 'score' | 'why'> {
  const [lastHour, lastDay] = [windowOf(row, tries.hour), windowOf(row, tries.day)];
  const id = sourceId(row.origin);
  const { disabled } = row;
  return {
    ...{ id, layer: row.layer, kind: row.kind, origin: row.origin, configuredPlace: row.configuredPlace },
    setPlace: row.setPlace,
    ...stateOf(row, lastHour, lastDay),
    breakers: {
      ...{ closed: row.closed, open: row.open, halfOpen: row.halfOpen, openUntil: momentOrNull(row.openUntil) },
    },
    rateBudget: { requestsPerMinute: row.requestsPerMinute, connections: row.connections, waitMs: row.waitMs },
    ...{ bytesPerSecond: row.bytesPerSecond, lastHour, lastDay },
    shareOfBytes: dayBytes === 0 ? null : lastDay.bytes / dayBytes,
    lastError: row.lastError,
    disabled: disabled && {
      ...{ note: disabled.note, by: disabled.by, at: momentOf(disabled.at), until: momentOrNull(disabled.until) },
    },
    links: linksOf(id),
  };
}

function windowOf({ layer, kind, origin }: SourceRow, sums: readonly TrySum[]): ListedSource['lastHour'] {
  const own = sums.filter((sum) => sum.origin === origin && sum.layer === layer && sum.kind === kind);
  if (own.length === 0) return { tries: 0, successRate: null, p50Ms: null, p95Ms: null, bytes: 0 };
  const { attempts: tries, successRate, p50Ms, p95Ms, bytes } = statsOf(own);
  return { tries, successRate, p50Ms, p95Ms, bytes };
}

/** What an operator said goes before the breakers of workers, and those before the tries of the last hour and day. */
function stateOf(
  row: SourceRow,
  hour: ListedSource['lastHour'],
  day: ListedSource['lastDay'],
): Pick<ListedSource, 'state' | 'since' | 'reason'> {
  const { disabled, open, closed, halfOpen } = row;
  if (disabled)
    return { state: 'disabled', since: momentOf(disabled.at), reason: `disabled by ${disabled.by}: ${disabled.note}` };
  const workers = open + closed + halfOpen;
  if (open * 2 > workers)
    return {
      state: 'down',
      since: momentOrNull(row.lastSuccessAt),
      reason: `${open} of ${workers} workers do not ask it now`,
    };
  const [window, name] = hour.tries > 0 ? [hour, 'hour'] : [day, 'day'];
  const { successRate, tries } = window;
  if (successRate === null) return { state: 'unknown', since: null, reason: 'it was not tried in the last day' };
  const state = successRate >= UP_FROM ? 'up' : successRate >= DEGRADED_FROM ? 'degraded' : 'down';
  const reason = `${Math.round(successRate * 100)} % of ${tries} tries in the last ${name} succeeded`;
  return { state, since: momentOrNull(row.judgedSince), reason };
}

const linksOf = (id: string): ListedSource['links'] => ({
  self: `/api/sources/${id}`,
  test: `/api/sources/${id}/test`,
  disable: `/api/sources/${id}/disable`,
  enable: `/api/sources/${id}/enable`,
});

export const sourceChanged = ({ id, layer, origin, state }: ListedSource): SourceChanged => ({
  ...{ type: 'source.changed', id, layer, origin, state },
});
