import type { LabelsPatch } from '#contracts/labels';
import type { Host, HostDetail } from '#contracts/http/status';
import { formatBytes } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { formatTable } from '../../terminal/table.ts';

interface Json {
  readonly json?: boolean;
}

/** Lists the hosts that a selector matches. */
export async function hostList(options: Json & { readonly selector?: string }, context: CommandContext): Promise<void> {
  const hosts = await withApi(() => clientFrom(context.env).listHosts(options.selector));
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ hosts })}\n`);
    return;
  }
  const rows = hosts.map((host) => [
    host.name,
    host.draining ? `${host.status}, draining` : host.status,
    host.freeBytes === null ? '' : formatBytes(host.freeBytes),
    host.workerVersion ?? '',
    labelsText(host.labels),
  ]);
  context.stdout.write(
    `${formatTable(['host', 'status', 'free', 'worker', 'labels'], rows, [2], context.stdout.columns)}\n`,
  );
}

export async function hostShow(name: string, options: Json, context: CommandContext): Promise<void> {
  show(await withApi(() => clientFrom(context.env).getHost(name)), options, context);
}

/** @param patch null takes a label away */
export async function hostLabel(
  name: string,
  patch: LabelsPatch,
  options: Json,
  context: CommandContext,
): Promise<void> {
  show(await withApi(() => clientFrom(context.env).labelHost(name, patch)), options, context);
}

export async function hostDrain(
  name: string,
  draining: boolean,
  options: Json,
  context: CommandContext,
): Promise<void> {
  show(await withApi(() => clientFrom(context.env).drainHost(name, draining)), options, context);
}

export async function hostForget(name: string, options: Json, context: CommandContext): Promise<void> {
  const forgotten = await withApi(() => clientFrom(context.env).forgetHost(name));
  const text = `${name} is forgotten; ${forgotten.cancelledDownloads} downloads were still wanted there`;
  context.stdout.write(`${options.json ? JSON.stringify(forgotten) : text}\n`);
}

function show(
  host: Host & Partial<Pick<HostDetail, 'desired' | 'drift'>>,
  options: Json,
  context: CommandContext,
): void {
  if (options.json) {
    context.stdout.write(`${JSON.stringify(host)}\n`);
    return;
  }
  const rows = [
    ['status', host.draining ? `${host.status}, draining` : host.status],
    ['last seen', host.lastSeenAt ?? 'never'],
    ['worker', host.workerVersion ?? ''],
    ['store', host.storeBytes === null ? '' : `${formatBytes(host.storeBytes)} in ${host.fileCount} files`],
    ['free', host.freeBytes === null ? '' : formatBytes(host.freeBytes)],
    ['memory', host.memoryBytes === null ? '' : formatBytes(host.memoryBytes)],
    ...(host.desired ?? []).map(desiredRow),
    ...(host.drift === undefined ? [] : driftRows(host.drift)),
    ...Object.entries(host.labels).map(([key, value]) => ['label', `${key}=${value}${originOf(host, key)}`]),
  ];
  context.stdout.write(`${formatTable([host.name, ''], rows)}\n`);
}

const desiredRow = (desired: HostDetail['desired'][number]): string[] => {
  const { model, version, state, files, presentFiles, rolloutId } = desired;
  const count = state === 'present' ? '' : `, ${presentFiles} of ${files} files are there`;
  return [
    'wanted',
    `${model}@${version}: ${state.replaceAll('_', ' ')}${count}${rolloutId ? ` (rollout ${rolloutId})` : ''}`,
  ];
};

const MOST_FILES_SHOWN = 10;

/** Counts, and the first files that are missing or damaged. */
function driftRows(drift: HostDetail['drift']): string[][] {
  const { missing, corrupt, extra, old, repairWaits, comparedAt, files } = drift;
  if (comparedAt === null) return [['drift', 'not known yet: the host has not reported what it has']];
  const waits = repairWaits === 0 ? '' : ` (${repairWaits} repairs wait for other hosts of the site)`;
  const lost = files.filter(({ state }) => state === 'missing' || state === 'corrupt');
  return [
    ['drift', `${missing} missing, ${corrupt} corrupt, ${extra} extra, ${old} old${waits}`],
    ...lost
      .slice(0, MOST_FILES_SHOWN)
      .map(({ state, model, version, path }) => [
        state,
        [model === null ? '' : `${model}@${version ?? ''}`, path ?? ''].join(' ').trim(),
      ]),
  ];
}

const originOf = ({ setLabels, workerLabels }: Host, key: string): string =>
  Object.hasOwn(setLabels, key) ? '  (set)' : Object.hasOwn(workerLabels, key) ? '  (of the worker)' : '  (fact)';

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
