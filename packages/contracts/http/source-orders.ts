import { z } from 'zod';
import { LAYER_NAMES } from '#core/layer';
import { MAX_ORDERED_SOURCES } from '../worker/source-order.ts';
import { Moment } from './parameters.ts';
import { SourceParams } from './sources.ts';

export const SourceOrderParams = z.strictObject({ layer: z.enum(LAYER_NAMES) });

const SourceIds = z.array(SourceParams.shape.id).max(MAX_ORDERED_SOURCES);

export const SourceOrderBody = z.strictObject({
  sources: SourceIds.refine((ids) => new Set(ids).size === ids.length, 'names a source twice').describe(
    'the ids of sources of the layer, first to last; none: what is measured decides',
  ),
});

export const SourceOrderView = z
  .strictObject({
    layer: z.enum(LAYER_NAMES),
    sources: z.array(z.string()).describe('ids, first to last; empty: what is measured decides'),
    by: z.string().nullable().describe('who changed it last; null: it was never set'),
    at: Moment.nullable(),
    version: z.string().describe('in quotes it is the tag that `If-Match` takes'),
  })
  .meta({ id: 'SourceOrder' });

export type SourceOrderView = z.infer<typeof SourceOrderView>;

export const SourceOrderList = z
  .strictObject({ orders: z.array(SourceOrderView).describe('one for each layer') })
  .meta({ id: 'SourceOrderList' });

export type SourceOrderList = z.infer<typeof SourceOrderList>;
