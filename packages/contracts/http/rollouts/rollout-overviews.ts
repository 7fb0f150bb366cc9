import { z } from 'zod';
import { LAYER_NAMES } from '#core/layer';
import { ROLLOUT_HOST_STATES } from '#core/rollout/host-state';
import { Count } from '../parameters.ts';

/** Every host of a rollout with its state alone: what a picture of ten thousand hosts needs. */
export const RolloutHostStates = z
  .strictObject({
    hosts: z.array(z.strictObject({ host: z.string(), state: z.enum(ROLLOUT_HOST_STATES) })).describe('by name'),
  })
  .meta({ id: 'RolloutHostStates' });

export type RolloutHostStates = z.infer<typeof RolloutHostStates>;

/** Where the bytes of a rollout came from: tries of its downloads since it was created. */
export const RolloutSources = z
  .strictObject({
    sources: z
      .array(
        z.strictObject({
          layer: z.enum(LAYER_NAMES),
          source: z.string().describe('scheme, host and port, or the path of a bundle'),
          tries: Count,
          successes: Count,
          bytes: Count.describe('bytes that were kept'),
          p95Ms: Count.describe('time of a try'),
          lastError: z.string().nullable(),
        }),
      )
      .describe('most bytes first'),
  })
  .meta({ id: 'RolloutSources' });

export type RolloutSources = z.infer<typeof RolloutSources>;
