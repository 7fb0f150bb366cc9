import { z } from 'zod';
import { LAYER_NAMES } from '#core/layer';

/** Most sources in the order of a layer. */
export const MAX_ORDERED_SOURCES = 500;

/** The order in which workers ask the sources of a layer, as an admin set it. */
export const SourceOrder = z.object({
  layer: z.enum(LAYER_NAMES),
  /** `scheme://host:port`, or the path of a bundle; the first is asked first. Others of the layer come behind. */
  origins: z.array(z.string().max(300)).max(MAX_ORDERED_SOURCES),
});

export type SourceOrder = z.infer<typeof SourceOrder>;
