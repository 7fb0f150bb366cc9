import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';

type Of<T extends WorkerEvent['type']> = Extract<WorkerEvent, { type: T }>;

/** An event with the host that sent it; it applies only to downloads of that host and of the pool. */
type FromHost<E> = E & { readonly host: string | null };

/** An event that can move one download. */
export type DownloadStep = FromHost<
  | Of<'download.started'>
  | Of<'download.progress'>
  | Of<'download.interrupted'>
  | Of<'download.finished'>
  | Of<'download.failed'>
>;

export type TryEvent = FromHost<Of<'try.finished'>>;
export type ReportEvent = Of<'host.report'> & { readonly host: string };
export type NoticeEvent = FromHost<Of<'host.notice'>> & {
  readonly bootId: string;
  readonly sequence: number;
  readonly position: number;
};
export type InventoryEvent = Of<'host.inventory'> & { readonly host: string; readonly bootId: string };
export type CheckEvent = FromHost<Of<'version.checked'>> & {
  readonly bootId: string;
  readonly sequence: number;
  readonly position: number;
};

export type ActivationEvent = Of<'host.activated'> & { readonly host: string };

export interface EventPlan {
  /** Within a wave every download appears once, so that one statement per type can apply it. */
  readonly waves: readonly (readonly DownloadStep[])[];
  readonly tries: readonly TryEvent[];
  readonly reports: readonly ReportEvent[];
  readonly notices: readonly NoticeEvent[];
  readonly inventories: readonly InventoryEvent[];
  readonly checks: readonly CheckEvent[];
  readonly activations: readonly ActivationEvent[];
}

/**
 * Sorts batches into what can be applied by few statements. Of progress in a row only the last is kept:
 * its numbers are absolute.
 */
export function planEvents(batches: readonly EventBatch[]): EventPlan {
  const steps = new Map<string, DownloadStep[]>();
  const tries: TryEvent[] = [];
  const reports = new Map<string, ReportEvent>();
  const notices: NoticeEvent[] = [];
  const inventories: InventoryEvent[] = [];
  const checks: CheckEvent[] = [];
  const activations: ActivationEvent[] = [];
  for (const { host: writtenHost, bootId, sequence, events } of batches) {
    const host = writtenHost === null ? null : hostKey(writtenHost);
    events.forEach((event, position) => {
      if (event.type === 'try.finished') tries.push({ ...event, host });
      else if (event.type === 'host.notice') notices.push({ ...event, host, bootId, sequence, position });
      else if (event.type === 'host.report') keepLatest(reports, event, host);
      else if (event.type === 'version.checked') checks.push({ ...event, host, bootId, sequence, position });
      else if (event.type === 'host.inventory') {
        if (host !== null) inventories.push({ ...event, host, bootId });
      } else if (event.type === 'host.activated') {
        if (host !== null) activations.push({ ...event, host });
      } else addStep(steps, { ...event, host });
    });
  }
  const waves = wavesOf([...steps.values()]);
  return { waves, tries, reports: [...reports.values()], notices, inventories, checks, activations };
}

function keepLatest(reports: Map<string, ReportEvent>, event: Of<'host.report'>, host: string | null): void {
  if (host === null || (reports.get(host)?.at ?? 0) > event.at) return;
  reports.set(host, { ...event, host });
}

function addStep(steps: Map<string, DownloadStep[]>, step: DownloadStep): void {
  const known = steps.get(step.downloadId);
  if (known === undefined) {
    steps.set(step.downloadId, [step]);
    return;
  }
  const last = known.at(-1);
  if (!isSameProgress(last, step)) known.push(step);
  else if (last!.at <= step.at) known[known.length - 1] = step;
}

const isSameProgress = (a: DownloadStep | undefined, b: DownloadStep): boolean =>
  a?.type === 'download.progress' &&
  b.type === 'download.progress' &&
  a.generation === b.generation &&
  a.host === b.host;

function wavesOf(lists: readonly DownloadStep[][]): DownloadStep[][] {
  const waves: DownloadStep[][] = [];
  for (const list of lists)
    list.forEach((step, index) => {
      (waves[index] ??= []).push(step);
    });
  return waves;
}
