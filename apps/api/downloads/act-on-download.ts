import { isOpen, isRunning } from '#core/download-status';
import type { DownloadRow } from '#database/downloads/download-row';
import {
  cancelDownload,
  holdDownload,
  limitDownload,
  pauseDownload,
  resumeDownload,
  type ActionOptions,
  type DownloadActionResult,
} from '#database/downloads/download-actions';
import { publishCommand } from '#queue/commands/commands';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { changedMeanwhile } from '../server/requests/if-match.ts';
import { stopJob, stopReplaced, stopWaiting, type StopCommand } from './stop-job.ts';

type ActionDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'nudgeRelay' | 'now' | 'log'>;

/** Changes nothing when the download has another tag. */
export type OnlyIf = Pick<ActionOptions, 'onlyIfTag'>;

/**
 * Goes on where the download stopped, with a new budget of attempts. An open download stays as it is.
 *
 * @throws RequestError `unknown-download`, or `illegal-move` when it succeeded
 */
export async function resume(deps: ActionDeps, id: string, onlyIf: OnlyIf = {}): Promise<DownloadRow> {
  const result = await resumeDownload(deps.database, id, deps.now(), onlyIf);
  const row = settle(result, 'resume', id, (stood) => isOpen(stood.status));
  await stopWaiting(deps, { id, host: row.host, generation: row.generation - 1 });
  deps.nudgeRelay();
  deps.changes.notify([id]);
  return row;
}

/** Pauses the download until a resume request; a running worker keeps its partial. A paused download stays as it is. */
export async function pause(deps: ActionDeps, id: string, onlyIf: OnlyIf = {}): Promise<DownloadRow> {
  const result = await pauseDownload(deps.database, id, deps.now(), onlyIf);
  const held = !result.done && (await holdDownload(deps.database, id, deps.now(), onlyIf.onlyIfTag));
  if (held) return stopped(deps, held, 'pause');
  const row = settle(result, 'pause', id, (stood) => stood.status === 'paused');
  return result.done ? stopped(deps, row, 'pause') : row;
}

/** Cancels the download. A cancelled download stays as it is. */
export async function cancel(deps: ActionDeps, id: string, onlyIf: OnlyIf = {}): Promise<DownloadRow> {
  const result = await cancelDownload(deps.database, id, deps.now(), onlyIf);
  const row = settle(result, 'cancel', id, (stood) => stood.status === 'cancelled');
  if (!result.done) return row;
  await stopped(deps, row, 'cancel');
  await stopReplaced(deps, result.replaced);
  return row;
}

/** Changes the speed limit, at once for a running transfer. */
export async function limit(
  deps: ActionDeps,
  id: string,
  bytesPerSecond: number | null,
  onlyIf: OnlyIf,
): Promise<DownloadRow> {
  const row = settle(
    await limitDownload(deps.database, id, bytesPerSecond, deps.now(), onlyIf),
    'limit',
    id,
    () => false,
  );
  if (isRunning(row.status)) await tellLimit(deps, row, bytesPerSecond);
  deps.changes.notify([id]);
  return row;
}

/** The row holds the limit already: a worker that misses the command reads it with its next attempt. */
async function tellLimit(
  { queues, prefix, log }: ActionDeps,
  { id, host, generation }: DownloadRow,
  bytesPerSecond: number | null,
): Promise<void> {
  const command = { version: 1, downloadId: id, generation, command: 'limit', bytesPerSecond } as const;
  try {
    await publishCommand(queues.redis, prefix, host, command);
  } catch (err) {
    log.warn({ downloadId: id, err }, 'limit command was not sent');
  }
}

/** @returns the row when the action succeeded now or before */
function settle(
  result: DownloadActionResult,
  action: 'resume' | 'pause' | 'cancel' | 'limit',
  id: string,
  isSoAlready: (row: DownloadRow) => boolean,
): DownloadRow {
  if (result.done) return result.row;
  if (result.why === 'missing') throw unknownDownload(id);
  if (result.why === 'changed') throw changedMeanwhile();
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
  const hint = action === 'resume' ? '' : '; resume starts it again';
  return `it cannot ${action}: its status is "${row.status}"${hint}`;
}

async function stopped(deps: ActionDeps, row: DownloadRow, command: StopCommand): Promise<DownloadRow> {
  await stopJob(deps, row, command);
  deps.changes.notify([row.id]);
  return row;
}
