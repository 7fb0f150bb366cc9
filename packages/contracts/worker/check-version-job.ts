import { z } from 'zod';
import { HUB_REPO_TYPES } from '#core/text/hub-name';
import { Repo, Revision } from '../file-spec.ts';
import { ModelName, ModelVersion } from '../manifest.ts';

/** Where a model's newer versions would appear. */
export const WatchedOrigin = z.strictObject({
  huggingface: z
    .strictObject({
      repo: Repo,
      repoType: z.enum(HUB_REPO_TYPES).optional(),
      /** Branch or tag that moves, such as `main`. */
      revision: Revision,
      /** The commit that the current version was made from. */
      commit: z.string().max(200).optional(),
    })
    .optional(),
  ipfs: z
    .strictObject({
      /** A name that can move: `/ipns/<name>`. */
      name: z.string().max(300),
      /** What it named when the current version was made. */
      cid: z.string().max(300).optional(),
    })
    .optional(),
});

export type WatchedOrigin = z.infer<typeof WatchedOrigin>;

/**
 * Asks one worker of the pool whether a newer version of one model exists: one job per model and time slot serves the
 * whole fleet, because BullMQ ignores an `add` of an id that it knows.
 */
export const checkVersionJob = {
  name: 'check-version',
  payload: z.strictObject({
    version: z.literal(1),
    model: ModelName,
    current: ModelVersion,
    origin: WatchedOrigin,
  }),
  /** @param slot grows with each check that is due, such as its time in milliseconds */
  id: (model: string, slot: number): string => `check.${model}.${slot}`,
} as const;

export type CheckVersionJob = z.infer<typeof checkVersionJob.payload>;

/** The queue of jobs that need the outside but belong to no host. */
export const MAINTENANCE_QUEUE = 'maintenance';
