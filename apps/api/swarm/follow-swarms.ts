import { canonicalCid } from '#content/cid/canonical-cid';
import { mapConcurrently } from '#core/async/map-concurrently';
import { SECOND_MS } from '#core/units';
import { keepSwarms, sharedFiles, type RolloutSwarmRow } from '#database/rollouts/rollout-swarms';
import { mayFollowSwarms } from '#queue/swarm/list-swarms';
import { readSwarmSums, type SwarmSums } from '#queue/swarm/read-swarm';
import { createLoop, restingRound, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { swarmTimes } from './swarm-times.ts';

const EVERY_MS = 2 * SECOND_MS;
const LONGEST_REST_MS = 30 * SECOND_MS;
const READ_AT_ONCE = 8;

type FollowDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'now' | 'log'>;

/** Keeps with each rollout how its hosts share files. Several processes may run it: one at a time looks. */
export function createSwarmFollower(deps: FollowDeps): Loop {
  const followInTurn = async (): Promise<void> => {
    if (await mayFollowSwarms(deps.queues.redis, deps.prefix, EVERY_MS / 2)) await followOnce(deps);
  };
  const round = restingRound(followInTurn, EVERY_MS, LONGEST_REST_MS);
  return createLoop({ name: 'rollout-swarms', everyMs: EVERY_MS, log: deps.log, round });
}

/** One look at the swarms of all rollouts that go on or have just ended. @throws Error while Postgres or Redis is away */
export async function followOnce({ database, queues: { redis }, prefix, changes, now }: FollowDeps): Promise<void> {
  const files = await sharedFiles(database, now());
  const cids = [...new Set(files.map(({ cid }) => canonicalCid(cid)))];
  const sums = new Map<string, SwarmSums | undefined>();
  await mapConcurrently(cids, READ_AT_ONCE, async (cid) => sums.set(cid, await readSwarmSums(redis, prefix, cid)));
  // Manifests may name the same content in two ways.
  const found = new Map<string, RolloutSwarmRow & { readonly rolloutId: string }>();
  for (const { rolloutId, cid: named } of files) {
    const cid = canonicalCid(named);
    const row = rowOf(rolloutId, sums.get(cid));
    if (row !== undefined) found.set(`${rolloutId} ${cid}`, { rolloutId, cid, ...row });
  }
  if (found.size > 0) changes.notify(await keepSwarms(database, [...found.values()], now()), 'rollouts');
}

/** @returns undefined where no host fetches the file for the rollout, or did so lately */
function rowOf(rolloutId: string, swarm: SwarmSums | undefined): Omit<RolloutSwarmRow, 'cid'> | undefined {
  if (swarm === undefined) return undefined;
  const { sizeBytes, nowMs } = swarm;
  const records = swarm.hosts
    .map(({ record }) => record)
    .filter(({ rollout, leeched }) => leeched && rollout === rolloutId);
  if (records.length === 0) return undefined;
  const own = swarm.ofRollout(rolloutId);
  const { elapsedMs, boundMs, bottleneck } = swarmTimes(records, sizeBytes, nowMs, own);
  const sites = [...new Set(records.map(({ site }) => site))].sort().map((site) => ({
    site,
    hosts: records.filter((record) => record.site === site).length,
    bytes: own.sites.get(site)?.bytes ?? 0,
  }));
  const doneHosts = records.filter(({ done }) => done !== undefined).length;
  const numbers = { doneHosts, sites, elapsedMs, boundMs, bottleneck };
  return { sizeBytes, hosts: records.length, originBytes: own.origin.bytes, numbers };
}
