import type { BulkAction, BulkItemList, CreateBulkActionBody } from '#contracts/http/bulk-actions';
import { send, type ClientOptions } from './send.ts';

/** Actions on many downloads. Each method throws ApiError or UnreachableError. */
export interface BulkClient {
  /** What matches is decided by the request; the work goes on after the answer. */
  createBulkAction(body: CreateBulkActionBody): Promise<BulkAction>;
  /** One long-poll: resolves when it is done or the wait is over; milliseconds. */
  waitForBulkAction(id: string, waitMs: number, signal?: AbortSignal): Promise<BulkAction>;
  /** Skipped and failed ones, in order. @param cursor of the page before */
  listSkippedItems(id: string, cursor?: string): Promise<BulkItemList>;
}

export const bulkMethods = (options: ClientOptions): BulkClient => ({
  createBulkAction: (body) => send(options, { method: 'POST', path: '/api/bulk-actions', body }),
  waitForBulkAction: (id, waitMs, signal) =>
    send(options, {
      ...{ method: 'GET', path: `/api/bulk-actions/${encodeURIComponent(id)}`, signal },
      ...{ query: { wait: `${waitMs}ms` }, extraMs: waitMs },
    }),
  listSkippedItems: (id, cursor) =>
    send(options, {
      ...{ method: 'GET', path: `/api/bulk-actions/${encodeURIComponent(id)}/items` },
      query: { state: ['skipped', 'failed'], cursor, limit: 500 },
    }),
});
