import type { NodesProgress } from '#fetch/obtain';
import { formatDuration, SECOND_MS } from '#core/units';
import type { Progress } from '#transfer/report/transfer-options';
import type { ProgressDisplay } from '../terminal/progress.ts';
import type { FetchAccount } from './fetch-account.ts';
import { SteadyRate } from '../terminal/steady-rate.ts';

/** After this long without bytes the line shows what the fetch waits for. */
const PATIENCE_MS = 2 * SECOND_MS;
const LOOK_EVERY_MS = 500;
const MOST_NAMES = 2;

export interface FetchFollower {
  progressed(progress: Progress): void;
  nodes(nodes: NodesProgress): void;
  waits(holder: string): void;
  end(): void;
}

export interface FollowOptions {
  readonly label: string;
  readonly sizeBytes: number | undefined;
  readonly display: ProgressDisplay;
  readonly account: FetchAccount;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Shows the progress of a fetch, and what it waits for when no bytes arrive. */
export function followFetch({ label, sizeBytes, display, account, now }: FollowOptions): FetchFollower {
  const rate = new SteadyRate(now());
  let nodes: NodesProgress | undefined;
  let holder: string | undefined;

  const show = (): void => {
    const { progress } = account;
    const stillMs = now() - rate.movedAt;
    if (progress === undefined && stillMs < PATIENCE_MS) return;
    const doneBytes = progress?.committedBytes ?? 0;
    const totalBytes = progress?.totalBytes ?? sizeBytes;
    const moving = { bytesPerSecond: rate.bytesPerSecond(now()), note: namesOf(progress?.activeSources ?? []) };
    const standing = { bytesPerSecond: 0, note: waitNote(account, { holder, nodes, stillMs }), waits: true };
    display.update([{ label, doneBytes, totalBytes, ...(stillMs < PATIENCE_MS ? moving : standing) }]);
  };
  const timer = setInterval(show, LOOK_EVERY_MS).unref();
  return {
    progressed(progress) {
      account.progressed(progress);
      holder = undefined;
      rate.reached(progress.committedBytes, now());
      show();
    },
    nodes(known) {
      holder = undefined;
      nodes = known;
    },
    waits(name) {
      holder = name;
    },
    end() {
      clearInterval(timer);
      display.end();
    },
  };
}

function waitNote(
  { progress, lastFailure }: FetchAccount,
  waits: { holder: string | undefined; nodes: NodesProgress | undefined; stillMs: number },
): string {
  const because = lastFailure === undefined ? '' : `, ${lastFailure}`;
  if (waits.holder !== undefined) return `waiting for ${waits.holder}, which fetches to the same path`;
  if (progress === undefined) return `${looking(waits.nodes)}${because}`;
  if (progress.committedBytes === progress.totalBytes) return 'proving the whole file';
  const from = namesOf(progress.activeSources);
  const still = formatDuration(Math.floor(waits.stillMs / SECOND_MS) * SECOND_MS);
  return from === '' ? `waiting for the next try${because}` : `no bytes for ${still} from ${from}${because}`;
}

const looking = (nodes: NodesProgress | undefined): string =>
  nodes === undefined ? 'looking for the file' : `reading the tree of the file, ${nodes.done} of ${nodes.found} blocks`;

const namesOf = (sources: readonly string[]): string =>
  sources.length <= MOST_NAMES ? sources.join(', ') : `${sources.length} sources`;
