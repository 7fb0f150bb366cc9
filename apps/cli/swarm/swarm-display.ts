import type { SwarmView } from '#contracts/swarm-view';
import { swarmProgress } from '#core/swarm/swarm-progress';
import { clipEnd } from '../terminal/cells.ts';
import { redrawnBlock, resolveMode, type ProgressEnvironment, type ProgressStream } from '../terminal/progress.ts';
import { swarmLine, swarmLines } from './swarm-text.ts';

/** Shows on stderr how a file spreads. */
export interface SwarmDisplay {
  update(view: SwarmView): void;
}

const PLAIN_STEP_PERCENT = 10;

/** A picture that is redrawn on a terminal; elsewhere a line at every 10 %, and when all hosts have the file. */
export function swarmDisplay(
  stream: ProgressStream,
  env: ProgressEnvironment & { readonly NO_COLOR?: string | undefined },
): SwarmDisplay {
  if (resolveMode('auto', stream, env) === 'bar') {
    const block = redrawnBlock(stream);
    return {
      update: (view) =>
        block.draw((columns, rows) =>
          swarmLines(view, columns, Boolean(env.NO_COLOR))
            .slice(0, rows)
            .map((line) => clipEnd(line, columns)),
        ),
    };
  }
  let shown = -1;
  return {
    update(view) {
      const { percent, doneHosts } = swarmProgress(view);
      const step = Math.floor(percent / PLAIN_STEP_PERCENT) + (doneHosts === view.hosts.length ? 1 : 0);
      if (step <= shown) return;
      shown = step;
      stream.write(`${swarmLine(view)}\n`);
    },
  };
}
