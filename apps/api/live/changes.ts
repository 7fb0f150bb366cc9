import type { LiveChanges } from '#contracts/live';
import { SECOND_MS } from '#core/units';

/** Tells every API process what changed, and hears of it. */
export interface FanOut {
  tell(changes: LiveChanges): void;
  /** True while changes of other processes arrive at once. */
  isHearing(): boolean;
}

/** Things that requests wait for: `others` are no topic of events, such as bulk actions. */
export type ChangedKind = 'downloads' | 'rollouts' | 'hosts' | 'others';

/** Wakes the waiting requests of all API processes when something changed, and tells the clients of live events. */
export interface Changes {
  notify(ids: Iterable<string>, kind?: ChangedKind): void;
  /** Tells what has more to say than an id. */
  tell(changes: Pick<LiveChanges, 'sources' | 'notices'>): void;
  /** Another process told this; undefined wakes everything. */
  heard(ids: Iterable<string> | undefined): void;
  /** Hears of the changes of one thing from now on. Begin to watch before the thing is read, so that no change falls in between. */
  watch(id: string): Watch;
  /** How many requests of this process wait for the thing. */
  waiting(id: string): number;
  /** Ends every wait, now and later. Safe twice. */
  stop(): void;
  stopped(): boolean;
}

/** A request that waits for a thing. */
export interface Watch {
  /**
   * Resolves at the first change since the last call, when it is time to look at the database again, after `timeoutMs`, or when the
   * signal aborts. Never rejects.
   */
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Safe twice. */
  end(): void;
}

/** How soon a change that another process wrote is seen while Redis does not tell it. */
const LOOK_DEAF_MS = SECOND_MS / 2;
/** While it does, only what changes by time alone, such as a host that falls silent, needs a look. */
const LOOK_HEARING_MS = 10 * SECOND_MS;

const ALONE: FanOut = { tell: () => undefined, isHearing: () => false };

/** @param fanOut left out: other processes do not hear of changes, and look at the database */
export function createChanges(fanOut: FanOut = ALONE): Changes {
  const waiting = new Map<string, Set<() => void>>();
  let stopped = false;

  const wake = (id: string): void => {
    for (const wakeOne of [...(waiting.get(id) ?? [])]) wakeOne();
  };
  const wakeAll = (): void => {
    for (const id of [...waiting.keys()]) wake(id);
  };

  return {
    notify(ids, kind = 'downloads') {
      const list = [...ids];
      for (const id of list) wake(id);
      if (list.length > 0) fanOut.tell({ [kind]: list });
    },
    tell: (changes) => fanOut.tell(changes),
    heard(ids) {
      if (ids === undefined) wakeAll();
      else for (const id of ids) wake(id);
    },
    watch(id) {
      const watch = createWatch(
        () => stopped,
        () => (fanOut.isHearing() ? LOOK_HEARING_MS : LOOK_DEAF_MS),
      );
      waiting.set(id, (waiting.get(id) ?? new Set()).add(watch.wake));
      return {
        next: watch.next,
        end() {
          const others = waiting.get(id);
          others?.delete(watch.wake);
          if (others?.size === 0) waiting.delete(id);
        },
      };
    },
    waiting: (id) => waiting.get(id)?.size ?? 0,
    stop() {
      stopped = true;
      wakeAll();
    },
    stopped: () => stopped,
  };
}

function createWatch(isStopped: () => boolean, lookMs: () => number): Pick<Watch, 'next'> & { wake(): void } {
  let isChanged = false;
  let finish: (() => void) | undefined;
  return {
    wake() {
      isChanged = true;
      finish?.();
    },
    async next(timeoutMs, signal) {
      const longestMs = Math.min(timeoutMs, lookMs());
      if (!isChanged && !isStopped())
        await new Promise<void>((resolve) => (finish = finishing(resolve, longestMs, signal)));
      finish = undefined;
      isChanged = false;
    },
  };
}

/** @returns a function that resolves now; time and signal do so too */
function finishing(resolve: () => void, timeoutMs: number, signal: AbortSignal): () => void {
  const finish = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', finish);
    resolve();
  };
  const timer = setTimeout(finish, timeoutMs);
  signal.addEventListener('abort', finish, { once: true });
  if (signal.aborted) finish();
  return finish;
}
