import type { LeafTable } from '#content/leaf/leaf-table';
import type { GrowingLeaves } from '#serve/swarm/growing-files';

/** A file that is being fetched, as far as the server of a host looks at it. Without more it has all leaves. */
export const growingLeaves = (path: string, table: LeafTable, more: Partial<GrowingLeaves> = {}): GrowingLeaves => ({
  ...{ path, table, model: null, isDone: () => true, bytesFrom: () => 0, isRefused: () => false },
  ...{ originPauseMs: () => 0, originBytes: () => 0, begunBytes: () => 0, diskWaitMs: () => 0 },
  onMore: () => () => undefined,
  ...more,
});
