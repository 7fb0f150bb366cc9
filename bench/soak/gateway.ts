import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDagBuilder, type BuiltDag } from '#content/dag/dag-builder';

const SLICE_BYTES = 256 * 1024;

export interface SoakFile {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly dag: BuiltDag;
}

/** Reproducible bytes (a ChaCha20 keystream) and their DAG. */
export function soakFile(sizeBytes: number, seed: number): SoakFile {
  const key = createHash('sha256').update(`soak ${seed}`).digest();
  const bytes = createCipheriv('chacha20', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
  const builder = createDagBuilder('unixfs-v1-2025');
  builder.update(bytes);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), dag: builder.finish() };
}

export interface SoakGateway {
  readonly url: string;
  /** Bytes of the file handed to sockets so far, whether or not they arrived. */
  sentBytes(): number;
  close(): Promise<void>;
}

/** An honest IPFS gateway on loopback for one file: plain ranges and inner blocks. */
export async function startSoakGateway(file: SoakFile): Promise<SoakGateway> {
  let sent = 0;
  const server = createServer((request, response) => {
    answer(file, request, response, (count) => (sent += count)).catch((error: Error) => response.destroy(error));
  });
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sentBytes: () => sent,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  { bytes, dag }: SoakFile,
  request: IncomingMessage,
  response: ServerResponse,
  onSent: (count: number) => void,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://gateway');
  const cid = url.pathname.replace('/ipfs/', '');
  if (url.searchParams.get('format') === 'raw') {
    const block = dag.innerBlocks.get(cid);
    response.writeHead(block ? 200 : 404, { 'content-type': 'application/vnd.ipld.raw' }).end(block);
    return;
  }
  const { start, end, isPart } = rangeOf(request.headers.range, bytes.length);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': end - start };
  const range = { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  response.writeHead(isPart ? 206 : 200, isPart ? { ...headers, ...range } : headers);
  for (let at = start; at < end && !response.destroyed; at += SLICE_BYTES) {
    const slice = bytes.subarray(at, Math.min(end, at + SLICE_BYTES));
    onSent(slice.length);
    if (!response.write(slice)) await drained(response);
  }
  response.end();
}

function rangeOf(header: string | undefined, size: number): { start: number; end: number; isPart: boolean } {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  const last = match?.[2] ? Number(match[2]) : size - 1;
  return { start: Number(match?.[1] ?? 0), end: Math.min(size, last + 1), isPart: match !== null };
}

/** The socket takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    if (response.destroyed) resolve();
    else response.once('drain', settle).once('close', settle);
  });
}
