import { z } from 'zod';
import { HostName } from '../download-job.ts';
import { ModelName } from '../manifest.ts';
import { Moment } from './parameters.ts';

export const HostParams = z.strictObject({ name: HostName });

export const VerifyHostBody = z
  .strictObject({
    model: ModelName.optional().describe('only this model, in all its versions; everything where left out'),
  })
  .nullish();

/** What a host was asked to do; its worker does it at once, or when it is back. */
export const OrderedVerify = z
  .strictObject({
    id: z.uuid(),
    host: z.string(),
    model: z.string().nullable(),
    requestedAt: Moment,
  })
  .meta({ id: 'OrderedVerify' });

export type OrderedVerify = z.infer<typeof OrderedVerify>;
