import { allowedFrom, nextStatus, type DownloadEvent } from '#core/download-status';

/*
 * The status table of core as SQL text. Every part comes from closed lists in core, never from input.
 */

const quoted = (word: string): string => `'${word}'`;

/** @returns the condition under which the event is legal, such as `d.status IN ('pending', …)`. */
export const legalSql = (event: DownloadEvent): string => `d.status IN (${allowedFrom(event).map(quoted).join(', ')})`;

/** @returns the status after the event as an expression; NULL where the event is illegal. */
export const nextStatusSql = (event: DownloadEvent, from = 'd.status'): string =>
  `CASE ${from} ${allowedFrom(event)
    .map((status) => `WHEN ${quoted(status)} THEN ${quoted(nextStatus(status, event)!)}`)
    .join(' ')} END`;

/** Renews the time for which the download waits for sources, from `now` on: a parameter that is a timestamptz. */
export const renewedDeadlineSql = (now: string): string =>
  `deadline_at = ${now}::timestamptz + d.deadline_ms * interval '1 millisecond'`;

/** The file is there again, or is not wanted any more. */
export const NOT_LOST_SQL = 'lost_at = NULL, lost_as = NULL, repair_waits = false';

/** A row whose job may exist or has to be made. The job of a worker's pause waits in the queue; a requested pause has no job. */
export const LIVE_SQL = `(d.status IN ('pending', 'in_progress', 'resuming')
  OR (d.status = 'paused' AND d.pause_reason IS DISTINCT FROM 'requested'))`;
