import { z } from 'zod';

/** A source that no worker may ask. */
export const DisabledSource = z.object({
  /** `scheme://host:port`, or the path of a bundle. */
  origin: z.string().max(300),
  note: z.string().max(500),
  /** Milliseconds since 1970, by the API's clock; null: until it is enabled. */
  until: z.number().int().nullable(),
});

export type DisabledSource = z.infer<typeof DisabledSource>;
