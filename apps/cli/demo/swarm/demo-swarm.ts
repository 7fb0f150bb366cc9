import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '#client/api-error';
import type { Download } from '#contracts/http/downloads';
import type { SwarmView } from '#contracts/swarm-view';
import { isFinal } from '#core/download-status';
import { formatBytes, formatDuration, SECOND_MS } from '#core/units';
import { withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { swarmDisplay } from '../../swarm/swarm-display.ts';
import { eventually } from '../eventually.ts';
import type { DemoServers } from '../ground.ts';
import { askWorker } from './swarm-clients.ts';
import { ORIGIN_BYTES_PER_SECOND, prepareSwarm, type SwarmStage } from './swarm-stage.ts';

const LOOK_EVERY_MS = 250;

/**
 * Brings one file to eight workers at once from an origin with a slow link, shows who has what, and lets clients of others download it from
 * a worker.
 *
 * @param servers used instead of servers of the demo's own
 * @throws CliError when a host or a client gets another file, or none
 */
export async function demoSwarm(
  { json }: { readonly json?: boolean },
  context: CommandContext,
  servers?: DemoServers,
): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const stage = await withApi(() => prepareSwarm(context, stops, servers));
    const document = await withApi(() => play(stage));
    if (json) context.stdout.write(`${JSON.stringify(document)}\n`);
  } finally {
    if (stops.length > 0) context.stderr.write('demo: stopping\n');
    for (const stop of stops.reverse()) await stop();
  }
}

async function play(stage: SwarmStage) {
  const { origin, file, hosts, report } = stage;
  const size = formatBytes(file.sizeBytes);
  const link = `${formatBytes(ORIGIN_BYTES_PER_SECOND)}/s`;
  report(`${hosts.length} hosts ask for ${file.path}, ${size}, from an origin with a link of ${link}`);
  const before = origin.bytesSent();
  const spread = await follow(stage);
  const copies = (origin.bytesSent() - before) / file.sizeBytes;
  const boundMs = (file.sizeBytes / ORIGIN_BYTES_PER_SECOND) * SECOND_MS;
  const alone = formatDuration(hosts.length * boundMs);
  report(`the origin sent ${copies.toFixed(2)} copies; alone each host would have fetched its own: ${alone}`);
  const times = `${(spread.elapsedMs / boundMs).toFixed(2)} x the bound of ${formatDuration(boundMs)}`;
  report(`the last host had it after ${formatDuration(spread.elapsedMs)}, ${times} that the link allows`);
  const clients = await askWorker(stage, hosts.at(-1)!);
  return {
    schema: 'haulier.demo-swarm/v1',
    ...{ hosts: hosts.length, sizeBytes: file.sizeBytes, pieces: spread.view?.pieces ?? null },
    ...{ originCopies: copies, leasedCopies: spread.view?.originCopies ?? null },
    ...{ elapsedMs: spread.elapsedMs, boundMs, timesBound: spread.elapsedMs / boundMs },
    ...{ bottleneck: spread.view?.bottleneck ?? null, clients },
  };
}

interface Spread {
  /** From the order to the end of the last host. */
  readonly elapsedMs: number;
  /** The last picture; undefined where hosts did not share the file. */
  readonly view: SwarmView | undefined;
}

/** Orders the file for all hosts at once, and shows who has what until all have it. */
async function follow(stage: SwarmStage): Promise<Spread> {
  const { client, model, file, hosts, context } = stage;
  const lastView = async (): Promise<SwarmView | undefined> => {
    const last = await client.getSwarm(file.cid);
    display.update(last);
    return last.hosts.every(({ state }) => state === 'seeding') ? last : undefined;
  };
  const startedAt = performance.now();
  const created = await Promise.all(
    hosts.map(({ name: host }) => client.createDownloads({ model, host, allowUnknown: true })),
  );
  const ids = created.flatMap(({ downloads }) => downloads.map(({ id }) => id));
  const display = swarmDisplay(context.stderr, context.env);
  let [view, elapsedMs]: [SwarmView | undefined, number] = [undefined, 0];
  for (let isDone = false; !isDone;) {
    const { downloads } = await client.listDownloads({ id: ids });
    elapsedMs = performance.now() - startedAt;
    view = (await viewOf(client.getSwarm(file.cid))) ?? view;
    if (view !== undefined) display.update(view);
    isDone = downloads.every(({ status }) => isFinal(status));
    if (isDone) downloads.forEach((download) => expectFile(download, file.sha256));
    else await pause(LOOK_EVERY_MS, undefined, { signal: context.signal });
  }
  // The last host announces a moment later that it has the file.
  if (view !== undefined) view = await eventually(stage, 'all hosts to say that they have the file', lastView);
  return { elapsedMs, view };
}

/** The swarm is not known before the first host announced it. */
const viewOf = (asked: Promise<SwarmView>): Promise<SwarmView | undefined> =>
  asked.catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });

function expectFile({ host, status, message, sha256 }: Download, expected: string): void {
  if (status !== 'success') throw new CliError(EXIT.failed, `${host} ended as ${status}: ${message}`);
  if (sha256 !== expected) throw new CliError(EXIT.failed, `${host} has another file than the origin`);
}
