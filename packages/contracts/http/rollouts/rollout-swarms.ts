import { z } from 'zod';
import { BOTTLENECKS } from '#core/swarm/swarm-bound';
import { SwarmSite } from '../../swarm-view.ts';
import { Count, Moment } from '../parameters.ts';

const RolloutSwarm = z.strictObject({
  cid: z.string(),
  files: z.array(z.strictObject({ model: z.string(), version: z.string(), path: z.string() })),
  sizeBytes: Count,
  hosts: Count.describe('of the rollout, that fetched the file while they announced it'),
  doneHosts: Count.describe('of them, that have the whole file'),
  originCopies: z.number().describe('bytes that they took from the origin, divided by the length of the file'),
  sites: z.array(SwarmSite),
  elapsedMs: Count.describe('from the first announce to the end of the last host that has the file'),
  boundMs: z.number().nullable().describe('least possible time at the measured rates; null before a rate is known'),
  timesBound: z.number().nullable(),
  bottleneck: z.enum(BOTTLENECKS).nullable(),
  updatedAt: Moment,
});

/** How the hosts of a rollout fetched its files from each other, also after its end. */
export const RolloutSwarms = z
  .strictObject({
    originCopies: z.strictObject({ copies: z.number().nullable(), allowed: Count }),
    swarms: z.array(RolloutSwarm).describe('files of at least 2 MiB that have a CID, the largest first; at most 256'),
  })
  .meta({ id: 'RolloutSwarms' });

export type RolloutSwarms = z.infer<typeof RolloutSwarms>;
