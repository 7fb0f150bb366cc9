import { swarmBound, type Bottleneck } from '#core/swarm/swarm-bound';
import { SECOND_MS } from '#core/units';
import type { FromOrigin } from '#queue/swarm/read-swarm';
import type { SwarmRecord } from '#queue/swarm/swarm-answer';

/** How long a swarm takes, and the least that is possible at the measured rates. Milliseconds. */
export interface SwarmTimes {
  readonly elapsedMs: number;
  readonly boundMs: number | null;
  readonly timesBound: number | null;
  readonly bottleneck: Bottleneck | null;
}

/**
 * Only hosts that fetched the file count; those that had it gave it from the beginning.
 *
 * @param now by the clock of Redis
 */
export function swarmTimes(
  records: readonly SwarmRecord[],
  sizeBytes: number,
  nowMs: number,
  { origin, siteBytes }: { readonly origin: FromOrigin; readonly siteBytes: ReadonlyMap<string, number> },
): SwarmTimes {
  const fetching = records.filter(({ leeched }) => leeched);
  const began = Math.min(...fetching.map((record) => record.began));
  const end = Math.max(...fetching.map(({ done }) => done ?? nowMs));
  const elapsedMs = fetching.length === 0 ? 0 : Math.max(0, end - began);
  const perSecond = (bytes: number, ms: number): number => (ms > 0 ? (bytes * SECOND_MS) / ms : 0);
  const found = swarmBound({
    sizeBytes,
    origin: perSecond(origin.bytes, origin.at - origin.from),
    sites: [...siteBytes.values()].map((bytes) => perSecond(bytes, elapsedMs)),
    hosts: fetching,
  });
  return {
    elapsedMs,
    boundMs: found === undefined ? null : Math.round(found.boundMs),
    timesBound: found === undefined ? null : elapsedMs / found.boundMs,
    bottleneck: found?.bottleneck ?? null,
  };
}
