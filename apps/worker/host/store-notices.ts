import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { StoreNotice } from '#store/context';

/** Passes notices of the store on to a subscriber; notices before the subscription are kept. */
export class StoreNotices {
  #listener: ((notice: StoreNotice) => void) | undefined;
  #waiting: StoreNotice[] = [];

  tell(notice: StoreNotice): void {
    if (this.#listener) this.#listener(notice);
    else this.#waiting.push(notice);
  }

  subscribe(listener: (notice: StoreNotice) => void): void {
    this.#listener = listener;
    for (const notice of this.#waiting.splice(0)) listener(notice);
  }
}

/** A notice of the store as the event stream carries it: one event for each place that used the content. */
export function noticeEvents(notice: StoreNotice, at: number): WorkerEvent[] {
  const views = notice.views.length > 0 ? notice.views : [{ model: null, path: null }];
  const facts = {
    ...(notice.sha256 === null ? {} : { sha256: notice.sha256 }),
    ...(notice.warnBytes === undefined ? {} : { warnBytes: notice.warnBytes }),
  };
  return views.map(({ model, path }) => ({
    type: 'host.notice',
    at,
    notice: notice.notice,
    model,
    path,
    message: notice.message.slice(0, 1000),
    facts,
  }));
}
