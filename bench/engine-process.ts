import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { obtain } from '#fetch/obtain';
import { partialPathOf } from '#fetch/target/partial-path';
import { publishTarget } from '#fetch/target/publish-target';
import type { FileSpec } from '#core/file-spec';
import type { Layer } from '#core/layer';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { journalPathOf } from '#transfer/disk/partial';
import { createThrottle, type Throttle } from '#transfer/report/throttle';
import type { EngineAnswer, EngineOrder, EngineReport, FileOrder } from './engine-order.ts';
import { forgetPeak, peakBytesOf } from './process-facts.ts';

const LAYERS: readonly Layer[] = ['ipfs', 'origin'];

/** Shared by all orders, as in a worker. */
const http = createHttp({ addressPolicy: parseAddressPolicy([], true), ca: process.env['BENCH_CA'] });
const health = new SourceHealth();
const gates = new OriginGates();

interface Tally {
  resumedBytes: number;
  receivedBytes: number;
  firstByteAt: number | undefined;
}

async function carryOut(order: EngineOrder): Promise<EngineReport> {
  forgetPeak();
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const tally: Tally = { resumedBytes: 0, receivedBytes: 0, firstByteAt: undefined };
  const { limitBytesPerSecond } = order;
  const throttles = limitBytesPerSecond === undefined ? [] : [createThrottle(limitBytesPerSecond)];
  const waiting = [...order.files];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      await fetchOne(file, order, throttles, tally);
  };
  await Promise.all(Array.from({ length: order.atOnce ?? 1 }, lane));
  const { user, system } = process.cpuUsage(cpuBefore);
  const { resumedBytes, receivedBytes, firstByteAt } = tally;
  return {
    cpuMs: (user + system) / 1000,
    peakBytes: peakBytesOf('self') ?? NaN,
    facts: { resumedBytes, receivedBytes, firstByteMs: (firstByteAt ?? NaN) - startedAt },
  };
}

async function fetchOne(file: FileOrder, order: EngineOrder, throttles: Throttle[], tally: Tally): Promise<void> {
  const { target, sizeBytes, sha256, cid } = file;
  const spec: FileSpec = {
    path: basename(target),
    sizeBytes,
    digests: { sha256 },
    cid,
    sources: file.urls.map((url) => ({ kind: 'mirror', url })),
  };
  const got = await obtain(spec, {
    sources: sourcesOf(spec, file, order).map((source) => counted(source, order, tally)),
    layers: LAYERS,
    strategy: 'ordered',
    partialPath: partialPathOf(target),
    connections: order.connections,
    throttles,
    dagProfile: order.computesCid ? 'unixfs-v1-2025' : undefined,
  });
  if (got.verified === 'none') throw new Error(`${target} was not verified`);
  tally.resumedBytes += got.resumedBytes;
  if (order.syncs) return publishTarget(got.partialPath, target);
  await rename(got.partialPath, target);
  await rm(journalPathOf(got.partialPath), { force: true });
}

const sourcesOf = (spec: FileSpec, file: FileOrder, order: EngineOrder): Source[] =>
  makeSources(spec, {
    gateways: order.gateways ?? [],
    hfEndpoint: 'https://unused.invalid',
    layers: LAYERS,
    trustedUrls: file.urls,
    http,
    health,
    gates,
    logger: silentLogger,
  });

/** Counts the bytes that arrive, and kills the process at the count that the order names. */
const counted = (source: Source, { diesAtBytes }: EngineOrder, tally: Tally): Source => ({
  ...source,
  read: (request, sink, signal) =>
    source.read(
      request,
      {
        head: (head) => sink.head(head),
        write: (chunk) => {
          tally.firstByteAt ??= performance.now();
          tally.receivedBytes += chunk.length;
          if (tally.receivedBytes >= (diesAtBytes ?? Infinity)) process.kill(process.pid, 'SIGKILL');
          return sink.write(chunk);
        },
      },
      signal,
    ),
});

process.on('message', (order: EngineOrder) => {
  const answer = (it: EngineAnswer): void => void process.send?.(it);
  Promise.all(order.files.slice(0, 1).map(({ target }) => mkdir(dirname(target), { recursive: true })))
    .then(() => carryOut(order))
    .then(
      (report) => answer({ is: 'done', report }),
      (error: unknown) =>
        answer({ is: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
});
process.once('disconnect', () => http.close());
process.send?.('ready');
