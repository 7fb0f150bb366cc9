import type { DownloadStatus } from './download-status.ts';

/** What can be done to many downloads at once. `resume` is for paused ones, `retry` for those that failed or were cancelled. */
export const BULK_ACTIONS = ['pause', 'resume', 'cancel', 'retry'] as const;

export type BulkActionName = (typeof BULK_ACTIONS)[number];

/** `pending` and `running` are to be carried out yet; `unchanged` stood so already; `skipped` could not. */
export const BULK_ITEM_STATES = ['pending', 'running', 'done', 'unchanged', 'skipped', 'failed'] as const;

export type BulkItemState = (typeof BULK_ITEM_STATES)[number];

/** What an action means for a download with this status; a text is why it is skipped. */
type Meaning = 'act' | 'unchanged' | { readonly skip: string };

const THERE = { skip: 'the file is there and verified' };

/** A download that a worker paused is paused further; one that was paused on request stands so already. */
export const BULK_MEANING: Readonly<Record<BulkActionName, Readonly<Record<DownloadStatus, Meaning>>>> = {
  pause: {
    ...{ pending: 'act', in_progress: 'act', resuming: 'act', paused: 'act', success: THERE },
    failed: { skip: 'it failed, and nothing runs' },
    cancelled: { skip: 'it was cancelled, and nothing runs' },
  },
  resume: {
    ...{ pending: 'unchanged', in_progress: 'unchanged', resuming: 'unchanged', paused: 'act', success: THERE },
    failed: { skip: 'it failed: retry starts it again' },
    cancelled: { skip: 'it was cancelled: retry starts it again' },
  },
  cancel: {
    ...{ pending: 'act', in_progress: 'act', resuming: 'act', paused: 'act', success: THERE, cancelled: 'unchanged' },
    failed: { skip: 'it failed, and nothing runs' },
  },
  retry: {
    ...{ pending: 'unchanged', in_progress: 'unchanged', resuming: 'unchanged', success: THERE },
    ...{ failed: 'act', cancelled: 'act' },
    paused: { skip: 'it is paused: resume lets it go on' },
  },
};

const OPEN: readonly DownloadStatus[] = ['pending', 'in_progress', 'resuming', 'paused'];

/** Which downloads a filter without a status means. Cancelled ones are retried only when they are named. */
export const BULK_STATUSES: Readonly<Record<BulkActionName, readonly DownloadStatus[]>> = {
  pause: OPEN,
  resume: ['paused'],
  cancel: OPEN,
  retry: ['failed'],
};
