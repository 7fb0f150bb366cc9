import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { DemoFile } from './demo-file.ts';
import { findByCid } from './ipfs-answer.ts';
import { refuse, sendRange, type DiskRange } from './send-range.ts';

export interface DemoOrigin {
  readonly url: string;
  /** Bytes sent as file content or leaves since the start. */
  bytesSent(): number;
  /** Publishes a commit: the branch `main` moves there. */
  publish(commit: string, files: readonly DemoFile[]): void;
  stop(): Promise<void>;
}

/**
 * A local origin for the demo: an IPFS gateway (`/ipfs/<cid>`, plain and `format=raw`) and a Hugging Face style
 * endpoint (`/<repo>/resolve/<revision>/<path>`, `/api/models/<repo>/revision/<revision>`) for generated files.
 */
export async function startDemoOrigin(repo: string): Promise<DemoOrigin> {
  const routes = new DemoRoutes(repo);
  const server = createServer((request, response) => {
    routes.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
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

  constructor(repo: string) {
    this.#repo = repo;
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
    return sendRange(request, response, range, (bytes) => (this.sentBytes += bytes));
  }
}

async function stopServer(server: ReturnType<typeof createServer>): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
