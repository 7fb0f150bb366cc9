import { swarmBound, type Bottleneck } from '#core/swarm/swarm-bound';
import { SECOND_MS } from '#core/units';
import type { Inflow } from '#queue/swarm/read-swarm';
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
 * @param nowMs by the clock of Redis
 */
export function swarmTimes(
  records: readonly SwarmRecord[],
  sizeBytes: number,
  nowMs: number,
  { origin, sites }: { readonly origin: Inflow; readonly sites: ReadonlyMap<string, Inflow> },
): SwarmTimes {
  const fetching = records.filter(({ leeched }) => leeched);
  const began = Math.min(...fetching.map((record) => record.began));
  const end = Math.max(...fetching.map(({ done }) => done ?? nowMs));
  const elapsedMs = fetching.length === 0 ? 0 : Math.max(0, end - began);
  const found = swarmBound({
    sizeBytes,
    origin: rateOf(origin),
    // A host may have been of another site when it began.
    sites: [...new Set(fetching.map(({ site }) => site))].map((site) => rateOf(sites.get(site))),
    hosts: fetching,
  });
  const isOver = elapsedMs > 0 && fetching.every(({ done }) => done !== undefined);
  // Bytes that no lease led, and leaves that the hosts had, are in no rate. What took less time than the rates say was possible in less.
  const boundMs = found && (isOver ? Math.min(found.boundMs, elapsedMs) : found.boundMs);
  return {
    elapsedMs,
    boundMs: boundMs === undefined ? null : Math.round(boundMs),
    timesBound: boundMs === undefined ? null : elapsedMs / boundMs,
    bottleneck: found?.bottleneck ?? null,
  };
}

const rateOf = ({ bytes, from, at }: Inflow = NOTHING): number => (at > from ? (bytes * SECOND_MS) / (at - from) : 0);

const NOTHING: Inflow = { bytes: 0, from: 0, at: 0 };
