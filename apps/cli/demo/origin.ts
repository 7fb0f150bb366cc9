import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { KIB } from '#core/units';
import { createThrottle, type ByteLimit } from '#transfer/report/throttle';
import type { DemoFile } from './demo-file.ts';

/** Bytes that are read and sent at once. */
const PART_BYTES = 256 * KIB;

export interface DemoOrigin {
  readonly url: string;
  /** Bytes of files and leaves that were sent since the start. */
  bytesSent(): number;
  /** Publishes a commit: the branch `main` moves there. */
  publish(commit: string, files: readonly DemoFile[]): void;
  stop(): Promise<void>;
}

export interface OriginLink {
  readonly bytesPerSecond?: number | undefined;
  readonly bind?: string | undefined;
  readonly port?: number | undefined;
}

/**
 * A local origin for the demo: an IPFS gateway (`/ipfs/<cid>`, plain and `format=raw`) and a Hugging Face style
 * endpoint (`/<repo>/resolve/<revision>/<path>`, `/api/models/<repo>/revision/<revision>`) for generated files.
 *
 * @param link.bytesPerSecond of its link, which all clients share; undefined: no limit
 * @param link.bind default: this machine alone
 * @param link.port default: a free one
 */
export async function startDemoOrigin(
  repo: string,
  { bytesPerSecond, bind = '127.0.0.1', port: wanted = 0 }: OriginLink = {},
): Promise<DemoOrigin> {
  const routes = new DemoRoutes(repo, createThrottle(bytesPerSecond));
  const server = createServer((request, response) => {
    routes.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, bind, resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://${bind}:${port}`,
    bytesSent: () => routes.sentBytes,
    publish: (commit, files) => routes.publish(commit, files),
    stop: () => stopServer(server),
  };
}

class DemoRoutes {
  sentBytes = 0;
  readonly #repo: string;
  readonly #commits = new Map<string, readonly DemoFile[]>();
  #head = '';

  readonly #link: ByteLimit;

  constructor(repo: string, link: ByteLimit) {
    this.#repo = repo;
    this.#link = link;
  }

  publish(commit: string, files: readonly DemoFile[]): void {
    this.#commits.set(commit, files);
    this.#head = commit;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://origin');
    const path = decodeURIComponent(url.pathname);
    const isRaw = url.searchParams.get('format') === 'raw';
    if (path.startsWith('/ipfs/')) return this.#answerIpfs(request, response, path.slice('/ipfs/'.length), isRaw);
    if (path.startsWith(`/api/models/${this.#repo}`)) return this.#answerApi(response, path);
    return this.#answerHub(request, response, path);
  }

  async #answerIpfs(request: IncomingMessage, response: ServerResponse, cid: string, isRaw: boolean): Promise<void> {
    const found = findByCid([...this.#commits.values()].flat(), cid, isRaw);
    if (found === undefined) return refuse(response, 404, 'not here');
    if (found.is !== 'file') response.setHeader('content-type', 'application/vnd.ipld.raw');
    if (found.is !== 'block') return this.#send(request, response, found.range);
    response.setHeader('content-length', found.block.length).end(found.block);
  }

  #answerApi(response: ServerResponse, path: string): void {
    const commit = this.#commitOf(/\/revision\/([^/]+)$/.exec(path)?.[1] ?? 'main');
    const files = this.#commits.get(commit);
    if (files === undefined) return refuse(response, 404, 'RevisionNotFound');
    const siblings = files.map((file) => ({ rfilename: file.path }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: this.#repo, sha: commit, siblings }));
  }

  async #answerHub(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const [, revision, name] = new RegExp(`^/${this.#repo}/resolve/([^/]+)/(.+)$`).exec(path) ?? [];
    const commit = this.#commitOf(revision ?? '');
    const file = this.#commits.get(commit)?.find((candidate) => candidate.path === name);
    if (!file) return refuse(response, 404, 'EntryNotFound');
    response.setHeader('x-repo-commit', commit);
    response.setHeader('etag', `"${file.sha256}"`);
    return this.#send(request, response, { diskPath: file.diskPath, start: 0, end: file.sizeBytes });
  }

  #commitOf(revision: string): string {
    return revision === 'main' ? this.#head : revision;
  }

  #send(request: IncomingMessage, response: ServerResponse, range: DiskRange): Promise<void> {
    return sendRange(request, response, range, (chunk) => {
      this.sentBytes += chunk.length;
      return this.#link.take(chunk.length);
    });
  }
}

async function stopServer(server: ReturnType<typeof createServer>): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** The content of `/ipfs/<cid>`: bytes on disk, or an inner block of a DAG. */
type IpfsAnswer =
  { readonly is: 'file' | 'leaf'; readonly range: DiskRange } | { readonly is: 'block'; readonly block: Uint8Array };

/**
 * Finds the content of a CID in the generated files.
 *
 * @param isRaw true for the block of the CID, false for the file
 * @returns undefined for an unknown CID
 */
function findByCid(files: readonly DemoFile[], cid: string, isRaw: boolean): IpfsAnswer | undefined {
  const file = files.find((candidate) => candidate.cid === cid);
  const isOneBlock = file !== undefined && !file.innerBlocks.has(cid);
  if (file && (!isRaw || isOneBlock))
    return { is: 'file', range: { diskPath: file.diskPath, start: 0, end: file.sizeBytes } };
  for (const { diskPath, innerBlocks, leaves } of files) {
    const block = innerBlocks.get(cid);
    if (block !== undefined) return { is: 'block', block };
    const leaf = leaves.get(cid);
    if (leaf !== undefined) return { is: 'leaf', range: { diskPath, ...leaf } };
  }
  return undefined;
}

/** A byte range of a file on disk: a whole file, or one of its leaves. */
interface DiskRange {
  readonly diskPath: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Answers with the bytes, or with the range that the request names.
 *
 * @param paced called with each part of the content before it is sent
 */
async function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  whole: DiskRange,
  paced: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  const size = whole.end - whole.start;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const first = range ? Number(range[1]) : 0;
  const last = Math.min(size - 1, range?.[2] ? Number(range[2]) : size - 1);
  if (range && first >= size) return refuse(response.setHeader('content-range', `bytes */${size}`), 416, 'range');
  if (range) response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
  response.setHeader('accept-ranges', 'bytes').setHeader('content-length', last - first + 1);
  response.writeHead(range ? 206 : 200);
  if (request.method === 'HEAD' || size === 0) return void response.end();
  const bytes = { start: whole.start + first, end: whole.start + last, highWaterMark: PART_BYTES };
  const inPace = async function* (parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const part of parts) {
      await paced(part);
      yield part;
    }
  };
  await pipeline(createReadStream(whole.diskPath, bytes), inPace, response);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'x-error-code': code }).end(code);
}
