import { z } from 'zod';
import { NoticeAdded, SourceChanged } from './http/events.ts';

const Names = z.array(z.string().max(300));

/** What changed, as API processes tell each other; a field that is left out is empty. Fields of later releases are skipped. */
export const LiveChanges = z.object({
  /** Ids of downloads that started, stopped, ended or were changed by a request. */
  downloads: Names.optional(),
  rollouts: Names.optional(),
  hosts: Names.optional(),
  /** Ids that requests may wait for and that are no topic, such as those of bulk actions. */
  others: Names.optional(),
  sources: z.array(SourceChanged).optional(),
  notices: z.array(NoticeAdded).optional(),
  /** Changes were lost: everything may have changed. */
  reread: z.string().max(300).optional(),
});

export type LiveChanges = z.infer<typeof LiveChanges>;

/** Where a running download stands; the next position replaces it, so one that is lost does no harm. */
export const LivePosition = z.object({
  id: z.string().max(40),
  bytes: z.number(),
  total: z.number().nullable(),
  /** Bytes per second. */
  speed: z.number(),
  gateway: z.string().max(300).nullable(),
  retries: z.number(),
});

export type LivePosition = z.infer<typeof LivePosition>;

export const LivePositions = z.array(LivePosition);
