import type { Rollout } from '#contracts/http/rollouts/rollout';
import { resolveMode, type ProgressEnvironment, type ProgressMode, type ProgressStream } from '../terminal/progress.ts';
import { endedOf, percentOf, progressLine } from './rollout-text.ts';

/** Shows on stderr how a rollout goes on. */
export interface RolloutDisplay {
  update(rollout: Rollout): void;
  /** A line that stays, such as a host that failed. */
  say(line: string): void;
  /** Takes what is redrawn away; lines that were said stay. */
  end(): void;
}

const PLAIN_STEP_PERCENT = 5;
const PLAIN_EVERY_MS = 30_000;
const BAR_CELLS = 40;

export function rolloutDisplay(
  mode: ProgressMode,
  stream: ProgressStream,
  env: ProgressEnvironment,
  now: () => Date,
): RolloutDisplay {
  switch (resolveMode(mode, stream, env)) {
    case 'bar':
      return barDisplay(stream);
    case 'json':
      return {
        update: (rollout) => stream.write(`${JSON.stringify({ rollout })}\n`),
        say: () => undefined,
        end: () => undefined,
      };
    case 'none':
      return { update: () => undefined, say: () => undefined, end: () => undefined };
    default:
      return plainDisplay(stream, now);
  }
}

/** A line at every 5 % and at each change of the state, and at least every 30 s. */
function plainDisplay(stream: ProgressStream, now: () => Date): RolloutDisplay {
  let shown: { readonly step: number; readonly state: string; readonly at: number } | undefined;
  const say = (line: string): unknown => stream.write(`${now().toISOString().slice(11, 19)} ${line}\n`);
  return {
    update(rollout) {
      const step = Math.floor(percentOf(rollout) / PLAIN_STEP_PERCENT);
      const state = `${rollout.state} ${rollout.reason}`;
      const at = now().getTime();
      if (shown?.step === step && shown.state === state && at - shown.at < PLAIN_EVERY_MS) return;
      shown = { step, state, at };
      say(progressLine(rollout));
    },
    say,
    end: () => undefined,
  };
}

function barDisplay(stream: ProgressStream): RolloutDisplay {
  let drawn = 0;
  const clear = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  return {
    update(rollout) {
      clear();
      const columns = Math.max(1, (stream.columns || 100) - 1);
      const lines = [bar(rollout), progressLine(rollout)].map((line) => line.slice(0, columns));
      stream.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    },
    say(line) {
      clear();
      stream.write(`${line}\n`);
    },
    end: clear,
  };
}

/** Succeeded, failed, running and waiting hosts, each with a sign of its own. */
function bar(rollout: Rollout): string {
  const { counts } = rollout;
  const cells = (count: number): number =>
    counts.targeted === 0 ? 0 : Math.round((BAR_CELLS * count) / counts.targeted);
  const ok = cells(counts.succeeded);
  const failed = cells(endedOf(rollout)) - ok;
  const running = cells(endedOf(rollout) + counts.running + counts.unknown) - ok - failed;
  const drawn = '█'.repeat(ok) + 'x'.repeat(Math.max(0, failed)) + '▒'.repeat(Math.max(0, running));
  return `[${drawn.padEnd(BAR_CELLS, '·')}] ${endedOf(rollout)}/${counts.targeted}`;
}
