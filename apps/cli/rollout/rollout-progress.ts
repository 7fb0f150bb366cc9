import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import type { RolloutSources } from '#contracts/http/rollouts/rollout-overviews';
import { clipEnd } from '../terminal/cells.ts';
import { resolveMode, type ProgressEnvironment, type ProgressMode, type ProgressStream } from '../terminal/progress.ts';
import { originCopiesText, endedOf, hostLine, percentOf, progressLine, sharesText, titleLine } from './rollout-text.ts';

/** What a display shows beside the rollout itself. */
export interface RolloutDetails {
  /** At work, the slowest first; few of them. */
  readonly hosts: readonly RolloutHost[];
  /** Where the bytes came from so far. */
  readonly sources: RolloutSources['sources'];
}

/** Shows on stderr how a rollout goes on. */
export interface RolloutDisplay {
  /** What `update` is to be given beside the rollout. */
  detailsFor(rollout: Rollout): 'none' | 'sources' | 'all';
  update(rollout: Rollout, details?: RolloutDetails): void;
  /** A line that stays, such as a host that failed. */
  say(line: string): void;
  /** The last line of what is redrawn, from now on; undefined: the usual one. */
  hint(line: string | undefined): void;
  /** Takes what is redrawn away; lines that were said stay. */
  end(): void;
}

/** NO_COLOR asks for signs that every terminal and every reader has. */
export type RolloutEnvironment = ProgressEnvironment & { readonly NO_COLOR?: string | undefined };

const PLAIN_STEP_PERCENT = 5;
const PLAIN_EVERY_MS = 30_000;
const BAR_CELLS = 40;
/** Size of a terminal that reports none. */
const USUAL_COLUMNS = 100;
const USUAL_ROWS = 24;
const HINT = 'Ctrl-C stops watching; the rollout goes on';

const SILENT: RolloutDisplay = {
  detailsFor: () => 'none',
  update: () => undefined,
  say: () => undefined,
  hint: () => undefined,
  end: () => undefined,
};

export function rolloutDisplay(
  mode: ProgressMode,
  stream: ProgressStream,
  env: RolloutEnvironment,
  now: () => Date,
): RolloutDisplay {
  switch (resolveMode(mode, stream, env)) {
    case 'bar':
      return barDisplay(stream, env.NO_COLOR ? PLAIN_SIGNS : SIGNS);
    case 'json':
      return { ...SILENT, update: (rollout) => stream.write(`${JSON.stringify({ rollout })}\n`) };
    case 'none':
      return SILENT;
    default:
      return plainDisplay(stream, now);
  }
}

/** A line at every 5 % and at each change of the state, and every 30 s also when nothing changes. */
function plainDisplay(stream: ProgressStream, now: () => Date): RolloutDisplay {
  let shown: string | undefined;
  let latest: Rollout | undefined;
  let shares = '';
  let timer: NodeJS.Timeout | undefined;
  const say = (line: string): unknown => stream.write(`${now().toISOString().slice(11, 19)} ${line}\n`);
  const show = (rollout: Rollout): void => {
    say([progressLine(rollout), shares, originCopiesText(rollout)].filter((text) => text !== '').join(' | '));
    clearTimeout(timer);
    timer = setTimeout(() => show(latest!), PLAIN_EVERY_MS).unref();
  };
  const stepOf = (rollout: Rollout): string =>
    `${Math.floor(percentOf(rollout) / PLAIN_STEP_PERCENT)} ${rollout.state} ${rollout.reason}`;
  return {
    ...SILENT,
    detailsFor: (rollout) => (stepOf(rollout) === shown ? 'none' : 'sources'),
    update(rollout, details) {
      latest = rollout;
      if (details !== undefined) shares = sharesText(details.sources);
      if (stepOf(rollout) === shown) return;
      shown = stepOf(rollout);
      show(rollout);
    },
    say,
    end: () => clearTimeout(timer),
  };
}

function barDisplay(stream: ProgressStream, signs: Signs): RolloutDisplay {
  let drawn = 0;
  let hint = HINT;
  /** All lines but the hint. */
  let latest: readonly string[] = [];
  const clear = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  const draw = (): void => {
    clear();
    // The last column stays empty: some terminals wrap when it is written.
    const columns = Math.max(1, (stream.columns || USUAL_COLUMNS) - 1);
    const room = Math.max(1, (stream.rows || USUAL_ROWS) - 2);
    const lines = [...latest.slice(0, room - 1), hint].map((line) => clipEnd(line, columns));
    stream.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  return {
    detailsFor: () => 'all',
    update(rollout, { hosts, sources } = { hosts: [], sources: [] }) {
      const shares = sharesText(sources);
      const parts = [shares, originCopiesText(rollout)].filter((text) => text !== '');
      const from = parts.length === 0 ? [] : [`from ${parts.join(' | ')}`];
      const head = [titleLine(rollout), bar(rollout, signs), progressLine(rollout), ...from];
      latest = [...head, ...hosts.map(hostLine)];
      draw();
    },
    hint(line = HINT) {
      const isDrawn = drawn > 0;
      hint = line;
      if (isDrawn) draw();
    },
    say(line) {
      clear();
      stream.write(`${line}\n`);
    },
    end: clear,
  };
}

interface Signs {
  readonly ok: string;
  readonly failed: string;
  readonly running: string;
  readonly waiting: string;
}

const SIGNS: Signs = { ok: '█', failed: 'x', running: '▒', waiting: '·' };
const PLAIN_SIGNS: Signs = { ok: '#', failed: 'x', running: '=', waiting: '.' };

/** Succeeded, failed, running and waiting hosts, each with a sign of its own. */
function bar(rollout: Rollout, signs: Signs): string {
  const { counts } = rollout;
  const cells = (count: number): number =>
    counts.targeted === 0 ? 0 : Math.round((BAR_CELLS * count) / counts.targeted);
  const ok = cells(counts.succeeded);
  const failed = Math.max(0, cells(endedOf(rollout)) - ok);
  const running = Math.max(0, cells(endedOf(rollout) + counts.running + counts.unknown) - ok - failed);
  const drawn = signs.ok.repeat(ok) + signs.failed.repeat(failed) + signs.running.repeat(running);
  return `[${drawn.padEnd(BAR_CELLS, signs.waiting)}] ${endedOf(rollout)}/${counts.targeted}`;
}
