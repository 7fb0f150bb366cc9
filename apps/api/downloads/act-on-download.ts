import { isOpen, isRunning } from '#core/download-status';
import type { DownloadRow } from '#database/downloads/download-row';
import {
  cancelDownload,
  holdDownload,
  limitDownload,
  pauseDownload,
  resumeDownload,
  type ActionResult,
} from '#database/downloads/download-actions';
import { publishCommand } from '#queue/commands/commands';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/request-error.ts';
import { stopJob, stopReplaced, type StopCommand } from './stop-job.ts';

type ActionDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'nudgeRelay' | 'now' | 'log'>;

/**
 * Goes on where the download stopped, with a new budget of attempts (RE3). Nothing happens when it is on its way.
 *
 * @throws RequestError `unknown-download`, or `illegal-move` when it succeeded
 */
export async function resume(deps: ActionDeps, id: string): Promise<DownloadRow> {
  const row = settle(await resumeDownload(deps.database, id, deps.now()), 'resume', id, (stood) =>
    isOpen(stood.status),
  );
  deps.nudgeRelay();
  deps.changes.notify([id]);
  return row;
}

/** Holds the download until somebody resumes it; a running worker keeps what it has. Nothing happens when it is held. */
export async function pause(deps: ActionDeps, id: string): Promise<DownloadRow> {
  const result = await pauseDownload(deps.database, id, deps.now());
  const held = !result.done && (await holdDownload(deps.database, id, deps.now()));
  if (held) return stopped(deps, held, 'pause');
  const row = settle(result, 'pause', id, (stood) => stood.status === 'paused');
  return result.done ? stopped(deps, row, 'pause') : row;
}

/** Ends the wish. Nothing happens when it was cancelled before. */
export async function cancel(deps: ActionDeps, id: string): Promise<DownloadRow> {
  const result = await cancelDownload(deps.database, id, deps.now());
  const row = settle(result, 'cancel', id, (stood) => stood.status === 'cancelled');
  if (!result.done) return row;
  await stopped(deps, row, 'cancel');
  await stopReplaced(deps, result.replaced);
  return row;
}

/** EX2: another limit, at once where it runs now. */
export async function limit(deps: ActionDeps, id: string, bytesPerSecond: number | null): Promise<DownloadRow> {
  const row = await limitDownload(deps.database, id, bytesPerSecond, deps.now());
  if (row === undefined) throw unknownDownload(id);
  if (isRunning(row.status)) await tellLimit(deps, row, bytesPerSecond);
  deps.changes.notify([id]);
  return row;
}

/** The row has it already: a worker that cannot be told now keeps its limit until the next attempt. */
async function tellLimit(
  { queues, prefix, log }: ActionDeps,
  { id, host, generation }: DownloadRow,
  bytesPerSecond: number | null,
): Promise<void> {
  const command = { version: 1, downloadId: id, generation, command: 'limit', bytesPerSecond } as const;
  try {
    await publishCommand(queues.redis, prefix, host, command);
  } catch (err) {
    log.warn({ downloadId: id, err }, 'worker could not be told its limit');
  }
}

/** @returns the row when the wish was granted now or before */
function settle(
  result: ActionResult,
  action: 'resume' | 'pause' | 'cancel',
  id: string,
  isSoAlready: (row: DownloadRow) => boolean,
): DownloadRow {
  if (result.done) return result.row;
  if (result.why === 'missing') throw unknownDownload(id);
  if (result.why === 'duplicate')
    throw new RequestError(
      'illegal-move',
      'another download of the same file on the same host is on its way; look at that one instead',
    );
  if (isSoAlready(result.row)) return result.row;
  throw new RequestError('illegal-move', refusal(action, result.row));
}

export const unknownDownload = (id: string): RequestError =>
  new RequestError('unknown-download', `there is no download ${id}; GET /api/downloads lists them`);

function refusal(action: string, row: DownloadRow): string {
  if (row.status === 'success') return `it cannot ${action}: the file is there and verified`;
  const hint = action === 'resume' ? '' : '; resume starts it anew';
  return `it cannot ${action}: its status is "${row.status}"${hint}`;
}

async function stopped(deps: ActionDeps, row: DownloadRow, command: StopCommand): Promise<DownloadRow> {
  await stopJob(deps, row, command);
  deps.changes.notify([row.id]);
  return row;
}
