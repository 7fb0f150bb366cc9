import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createDagBuilder, type BuiltDag } from '#content/dag/dag-builder';
import { encodeCar } from '#content/dag/car';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import { silentLogger } from '#core/logger';
import { KIB } from '#core/units';
import { obtain, type Obtained, type ObtainOptions } from '#fetch/obtain';
import { HostShare, type PieceLeases } from '#fetch/swarm/host-share';
import { PeerBook } from '#fetch/swarm/peer-book';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { createServe } from '#serve/serve';
import { serveServer } from '#serve/server';
import { GrowingFiles } from '#serve/swarm/growing-files';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import { guarded } from '#sources/make-sources';
import { mirror } from '#sources/mirror';
import { PeerFile } from '#sources/peer/peer-file';
import { PeerPace } from '#sources/peer/peer-pace';
import { peerSource } from '#sources/peer/peer-source';
import { freePort } from '#os/port';
import { temporaryStore } from '../packages/store/temp-store.ts';
import { LAYERS } from '#core/layer';
import { sha256Of } from './transfer-kit.ts';

/** A server of one file with ranges, over one link that all its clients share. */
export interface SlowOrigin {
  readonly url: string;
  /** Bytes of the file that were sent. */
  readonly sent: () => number;
  readonly requests: () => number;
  readonly close: () => Promise<void>;
}

const CHUNK = 64 * KIB;

/** @param goneAfter stops for good when so many bytes were sent */
export async function slowOrigin(bytes: Buffer, bytesPerSecond: number, goneAfter = Infinity): Promise<SlowOrigin> {
  let [sent, requests, freeAt] = [0, 0, 0];
  const send = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests += 1;
    const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const [start, end] = [Number(first), last === '' ? bytes.length : Number(last) + 1];
    response.writeHead(206, {
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
      etag: '"origin"',
    });
    for (let at = start; at < end && !response.destroyed; at += CHUNK) {
      if (sent >= goneAfter) return void response.destroy();
      const part = bytes.subarray(at, Math.min(end, at + CHUNK));
      sent += part.length;
      freeAt = Math.max(freeAt, performance.now()) + (part.length * 1000) / bytesPerSecond;
      await pause(Math.max(0, freeAt - performance.now()));
      response.write(part);
    }
    response.end();
  };
  const server = createServer((request, response) => {
    if (sent >= goneAfter) request.socket.destroy();
    else void send(request, response);
  });
  return { url: await listening(server), sent: () => sent, requests: () => requests, close: () => closed(server) };
}

/** A peer that answers as the test says. */
export async function oddPeer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly requests: string[]; readonly close: () => Promise<void> }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    if (!request.url!.endsWith('/have')) requests.push(request.headers.range ?? '');
    answer(request, response);
  });
  return { url: await listening(server), requests, close: () => closed(server) };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  const end = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await end;
}

export function dagOf(bytes: Uint8Array): BuiltDag {
  const builder = createDagBuilder('unixfs-v0-2015');
  builder.update(bytes);
  return builder.finish();
}

function bookOf(urls: readonly string[]): PeerBook {
  const book = new PeerBook();
  book.set('test', urls);
  return book;
}

/** One host: its store, its server for others, and its downloads. */
export interface SwarmHost {
  readonly url: string;
  fetch(from: HostFetch): Promise<Obtained>;
  readonly stop: () => Promise<void>;
}

export interface HostFetch {
  readonly bytes: Buffer;
  readonly dag: BuiltDag;
  readonly origin?: string | undefined;
  /** A book may change while the host fetches. */
  readonly peers: readonly string[] | PeerBook;
  readonly signal?: AbortSignal;
  /** How much faster than real time the host loses patience. */
  readonly haste?: number;
  readonly onProgress?: ObtainOptions['onProgress'];
  readonly leases?: PieceLeases;
  /** A peer refused a piece that it offers. */
  readonly onAbsent?: (piece: number) => void;
  /** A peer gives far less than the others. */
  readonly onSlow?: (url: string) => void;
  /** The leaf table comes from the peers instead of from the disk. */
  readonly withoutTable?: boolean;
}

/** @param options.url to take the place of an earlier host */
export async function swarmHost(
  options: { readonly port?: number; readonly siteKey?: string } = {},
): Promise<SwarmHost> {
  const { siteKey } = options;
  const store = await temporaryStore();
  const growing = new GrowingFiles();
  const port = options.port ?? (await freePort());
  const peerId = `host-${port}`;
  const access = { tokens: siteKey === undefined ? [] : ['of-clients'], networks: [], siteKey };
  const server = serveServer({ host: '127.0.0.1', port, handler: createServe({ store, growing, peerId, access }) });
  await server.start();
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
  const [gates, health] = [new OriginGates(), new SourceHealth()];
  let files = 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async fetch({
      bytes,
      dag,
      origin,
      peers: urls,
      signal,
      haste = 1,
      onProgress,
      leases,
      onAbsent,
      onSlow,
      withoutTable = false,
    }) {
      const { cid, table, innerBlocks } = dag;
      const now = (): number => performance.now() * haste;
      const paces = { near: new PeerPace(now), far: new PeerPace(now) };
      const peerAt = (url: string, asked: () => Promise<void>) => {
        const ofTracker = leases && {
          mayTake: (piece: number) => leases.mayTake(url, piece),
          isFar: () => leases.isFar(url),
        };
        const told = { onAbsent, paces, onSlow: () => onSlow?.(url) };
        const peer = new PeerFile({ http, url, cid, siteKey, ...ofTracker, ...told }, now);
        return { file: peer, source: guarded({ gates, health })(peerSource(http, peer, asked)) };
      };
      let withdraw = (): void => undefined;
      const share = new HostShare({
        ...{ book: urls instanceof PeerBook ? urls : bookOf(urls), peerAt, peerId, now, leases },
        onBegin: (file) => (withdraw = growing.offer({ ...file, model: null })),
      });
      share.start();
      const origins = origin === undefined ? [] : [mirror({ http, url: `${origin}/model.bin`, isProvable: true })];
      const sources = [...origins.map(guarded({ gates, health })), ...share.sources];
      const partialPath = join(store.paths.partials, `${(files += 1)}.part`);
      const kept = { load: async () => ({ table, innerBlocks }), save: async () => undefined };
      const file = { path: 'model.bin', sizeBytes: bytes.length, digests: {}, cid, sources: [] };
      if (!withoutTable)
        await store.writeLeaves(cid, { table: encodeLeafTable(table), inner: encodeCar(cid, innerBlocks) });
      try {
        const obtained = await obtain(file, {
          ...{ sources, layers: LAYERS, strategy: 'ordered', partialPath, share, signal, onProgress },
          ...{ tables: withoutTable ? undefined : kept, logger: silentLogger, digestThread: 'inline' },
        });
        await store.publish({
          ...{ partialPath, sha256: sha256Of(bytes), sizeBytes: bytes.length, cid },
          ...{ table: encodeLeafTable(table), inner: encodeCar(cid, innerBlocks) },
        });
        return obtained;
      } finally {
        share.stop();
        withdraw();
      }
    },
    async stop() {
      await server.stop();
      http.close();
    },
  };
}
