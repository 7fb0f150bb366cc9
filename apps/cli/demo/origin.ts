import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { DemoFile } from './demo-file.ts';

export interface DemoOrigin {
  readonly url: string;
  /** Bytes sent as file content or leaves since the start. */
  bytesSent(): number;
  /** Publishes a commit: the branch `main` moves there. */
  publish(commit: string, files: readonly DemoFile[]): void;
  stop(): Promise<void>;
}

interface Span {
  readonly file: DemoFile;
  readonly start: number;
  readonly end: number;
}

/**
 * A local origin for the demo: an IPFS gateway (`/ipfs/<cid>`, plain and `format=raw`) and a Hugging Face style
 * endpoint (`/<repo>/resolve/<revision>/<path>`, `/api/models/<repo>/revision/<revision>`) for generated files.
 */
export async function startDemoOrigin(repo: string): Promise<DemoOrigin> {
  const commits = new Map<string, readonly DemoFile[]>();
  let head = '';
  let sent = 0;
  const filesAt = (revision: string): readonly DemoFile[] => commits.get(revision === 'main' ? head : revision) ?? [];
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://origin');
    const path = decodeURIComponent(url.pathname);
    if (path.startsWith('/ipfs/')) return answerIpfs(request, response, path.slice('/ipfs/'.length), url);
    if (path.startsWith(`/api/models/${repo}`)) return answerApi(response, path);
    const resolve = new RegExp(`^/${repo}/resolve/([^/]+)/(.+)$`).exec(path);
    const file = resolve ? filesAt(resolve[1]!).find((candidate) => candidate.path === resolve[2]) : undefined;
    if (!file) return refuse(response, 404, 'EntryNotFound');
    response.setHeader('x-repo-commit', resolve![1] === 'main' ? head : resolve![1]!);
    response.setHeader('etag', `"${file.sha256}"`);
    return sendRange(request, response, { file, start: 0, end: file.sizeBytes });
  }

  async function answerIpfs(request: IncomingMessage, response: ServerResponse, cid: string, url: URL): Promise<void> {
    const files = [...commits.values()].flat();
    const raw = url.searchParams.get('format') === 'raw';
    const file = files.find((candidate) => candidate.cid === cid);
    const isOneBlock = file !== undefined && !file.innerBlocks.has(cid);
    if (file && (!raw || isOneBlock)) return sendRange(request, response, { file, start: 0, end: file.sizeBytes });
    const holder = files.find((candidate) => candidate.innerBlocks.has(cid) || candidate.leaves.has(cid));
    const block = holder?.innerBlocks.get(cid);
    response.setHeader('content-type', 'application/vnd.ipld.raw');
    if (block) return void response.setHeader('content-length', block.length).end(block);
    const leaf = holder?.leaves.get(cid);
    if (holder && leaf) return sendRange(request, response, { file: holder, ...leaf });
    return refuse(response, 404, 'not here');
  }

  function answerApi(response: ServerResponse, path: string): void {
    const revision = /\/revision\/([^/]+)$/.exec(path)?.[1] ?? 'main';
    const sha = revision === 'main' ? head : revision;
    if (!commits.has(sha)) return refuse(response, 404, 'RevisionNotFound');
    const siblings = filesAt(sha).map((file) => ({ rfilename: file.path }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: repo, sha, siblings }));
  }

  async function sendRange(request: IncomingMessage, response: ServerResponse, whole: Span): Promise<void> {
    const size = whole.end - whole.start;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const first = range ? Number(range[1]) : 0;
    const last = Math.min(size - 1, range?.[2] ? Number(range[2]) : size - 1);
    if (range && first >= size) return refuse(response.setHeader('content-range', `bytes */${size}`), 416, 'range');
    if (range) response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
    response.setHeader('accept-ranges', 'bytes').setHeader('content-length', last - first + 1);
    response.writeHead(range ? 206 : 200);
    if (request.method === 'HEAD' || size === 0) return void response.end();
    sent += last - first + 1;
    const bytes = { start: whole.start + first, end: whole.start + last, highWaterMark: 1024 * 1024 };
    await pipeline(createReadStream(whole.file.diskPath, bytes), response);
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    bytesSent: () => sent,
    publish: (commit, files) => {
      commits.set(commit, files);
      head = commit;
    },
    stop: () => stopServer(server),
  };
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'x-error-code': code }).end(code);
}

async function stopServer(server: ReturnType<typeof createServer>): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
