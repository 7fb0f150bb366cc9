import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { encodeCar } from '#content/dag/car';
import { createDagBuilder, type BuiltDag, type DagProfile } from '#content/dag/dag-builder';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import { createServe, type ServeOptions } from '#serve/serve';
import { serveServer } from '#serve/server';
import type { ViewRequest } from '#store/models/model-views';
import type { Store } from '#store/open-store';
import { afterAll } from '@jest/globals';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryStore } from '../store/temp-store.ts';

export interface Served {
  readonly store: Store;
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const open: (() => Promise<void> | void)[] = [];

/** Serves a store, a new one unless one is given, on a free port of this machine. */
export async function served(options: Partial<ServeOptions> = {}): Promise<Served> {
  const store = options.store ?? (await temporaryStore());
  const server = serveServer({ host: '127.0.0.1', port: 0, handler: createServe({ ...options, store }) });
  const { port } = await server.start();
  open.push(() => server.stop());
  return { store, url: `http://127.0.0.1:${port}`, stop: () => server.stop() };
}

/** Serves a store, a new one unless one is given, as a mirror of a hub: it may fetch `acme/*`. */
export async function servedMirror(hfEndpoint: string, given?: Store): Promise<Served> {
  const store = given ?? (await temporaryStore());
  const http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  const pull = pullThrough({ store, allow: ['acme/*'], upstream: { http, hfEndpoint, gateways: [] } })!;
  const server = await served({ store, pull });
  open.push(
    () => pull.stop(),
    () => http.close(),
  );
  return server;
}

/** Stops what the tests of a file serve and removes their stores; nothing may stay open. Call it first in the file. */
export function cleansUp(): void {
  afterAll(async () => {
    for (const stop of open.splice(0)) await stop();
    await removeTemporaryFolders();
  });
  expectNoLeaks();
}

export interface Published extends BuiltDag {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Publishes bytes with the CID that the profile gives them. */
export async function publishBytes(
  store: Store,
  bytes: Uint8Array,
  { view, profile = 'unixfs-v1-2025' }: { view?: ViewRequest; profile?: DagProfile } = {},
): Promise<Published> {
  const builder = createDagBuilder(profile);
  builder.update(bytes);
  const dag = builder.finish();
  await store.publish({
    ...(await partialOf(store, bytes, view)),
    cid: dag.cid,
    table: encodeLeafTable(dag.table),
    inner: encodeCar(dag.cid, dag.innerBlocks),
  });
  return { ...dag, bytes, sha256: sha256Of(bytes) };
}

export const HUB_COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** A file of a model that came from a repository of a hub. */
export const hubView = (path: string, more: Partial<ViewRequest> = {}): ViewRequest => ({
  ...{ model: 'tiny', version: '1', path, versionFileCount: 1 },
  sources: [{ kind: 'huggingface', repo: 'acme/tiny', revision: HUB_COMMIT, path }],
  ...more,
});

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The connection broke before the end. */
  readonly isBroken: boolean;
}

/** Asks and reads everything, also of an answer that breaks off. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      const end = (isBroken: boolean): void =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts), isBroken });
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => end(!response.complete));
      response.on('error', () => end(true));
    });
    request.on('error', reject);
    request.end(body);
  });
}

export const jsonOf = ({ body }: Answer): unknown => JSON.parse(body.toString('utf8'));

/** Bytes that differ at every position of a leaf. */
export const numbered = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length);
  for (let at = 0, value = seed; at < length; at += 1) {
    value = (value * 1103515245 + 12345) & 0x7fffffff;
    bytes[at] = value >> 16;
  }
  return bytes;
};
