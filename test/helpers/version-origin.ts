import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a server of one file that is replaced now and then answers; each is the way of some real one. */
export interface ServerStyle {
  readonly ranges: 'honoured' | 'ignored' | 'without-content-range' | 'from-a-border';
  readonly ifRange: 'honoured' | 'ignored';
  /** `first`: the tag of the first version stays, whatever is sent. */
  readonly tags: 'strong' | 'weak' | 'first' | 'none';
  /**
   * `own`: of each version, long ago; `first`: that of the first version stays; `now`: the second in which the answer is sent, for all versions; `epoch`: that of a packer, for all
   * versions.
   */
  readonly dates: 'own' | 'first' | 'now' | 'epoch' | 'none';
  readonly length: 'said' | 'chunked' | 'until-close';
}

/** What happens at one request. */
export interface ServedStep {
  /** The file is replaced before it is answered. */
  readonly replaces: boolean;
  /** Share of the answer, above 0, after which the connection is reset; undefined: the answer is whole. */
  readonly cutAt: number | undefined;
  /** What happens to the program that asks, when the connection is reset. */
  readonly then: 'nothing' | 'stop' | 'kill';
}

export interface VersionOrigin {
  readonly url: string;
  /** Version that is served now. */
  version: number;
  readonly requests: IncomingMessage['headers'][];
  close(): Promise<void>;
}

export interface VersionOriginOptions {
  readonly versions: readonly Buffer[];
  readonly style: ServerStyle;
  readonly steps: readonly ServedStep[];
  /** The last of so many bytes before a reset has been sent; the reset waits for it, unless the client has gone. */
  readonly onCut: (step: ServedStep, sentBytes: number) => Promise<void>;
}

const BORDER_BYTES = 16_384;
const HOUR_MS = 3_600_000;
const PIECE_BYTES = 8_192;

/** A file that is replaced while it is read, behind a real HTTP server on loopback. After the steps nothing more happens to it. */
export async function startVersionOrigin(options: VersionOriginOptions): Promise<VersionOrigin> {
  const { versions, style, steps, onCut } = options;
  const server = createServer((request, response) => {
    const step = steps[origin.requests.length];
    origin.requests.push(request.headers);
    if (step?.replaces === true) origin.version = (origin.version + 1) % versions.length;
    void answer(request, response, { style, version: origin.version, bytes: versions[origin.version]!, step, onCut });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin: VersionOrigin = {
    url: `http://127.0.0.1:${port}`,
    version: 0,
    requests: [],
    close: () => close(server),
  };
  return origin;
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

interface Answer {
  readonly style: ServerStyle;
  readonly version: number;
  readonly bytes: Buffer;
  readonly step: ServedStep | undefined;
  readonly onCut: VersionOriginOptions['onCut'];
}

async function answer(request: IncomingMessage, response: ServerResponse, about: Answer): Promise<void> {
  const { bytes, step, onCut } = about;
  const validators = validatorsOf(about);
  for (const [name, value] of Object.entries(validators)) response.setHeader(name, value);
  const [start, end] = rangeOf(request, about, validators);
  setHead(response, about, start, end);
  const stop = step?.cutAt === undefined ? end : start + Math.ceil((end - start) * step.cutAt);
  for (let at = start; at < stop && !response.destroyed; at += PIECE_BYTES) {
    const isTaken = response.write(bytes.subarray(at, Math.min(stop, at + PIECE_BYTES)));
    await new Promise<void>((resolve) => (isTaken ? setImmediate(resolve) : response.once('drain', resolve)));
  }
  if (step?.cutAt === undefined) return void response.end();
  response.flushHeaders();
  const isGone = new Promise((resolve) => response.once('close', resolve));
  if (!response.destroyed) await Promise.race([onCut(step, stop - start), isGone]);
  request.socket.resetAndDestroy();
}

function setHead(response: ServerResponse, { style, bytes }: Answer, start: number, end: number): void {
  const isPart = start > 0 || end < bytes.length;
  response.statusCode = isPart ? 206 : 200;
  if (isPart && style.ranges !== 'without-content-range')
    response.setHeader('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
  if (style.length === 'said' || isPart) response.setHeader('content-length', end - start);
  if (style.length === 'until-close' && !isPart) {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
  }
}

function rangeOf(
  request: IncomingMessage,
  { style, bytes }: Answer,
  validators: Record<string, string>,
): [number, number] {
  const whole: [number, number] = [0, bytes.length];
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers['range'] ?? '');
  if (match === null || style.ranges === 'ignored' || Number(match[1]) >= bytes.length) return whole;
  const asked = request.headers['if-range'];
  const isSame = asked === undefined || asked === validators['etag'] || asked === validators['last-modified'];
  if (style.ifRange === 'honoured' && !isSame) return whole;
  const start = Number(match[1]);
  const border = style.ranges === 'from-a-border' ? start % BORDER_BYTES : 0;
  return [start - border, Math.min(bytes.length, Number(match[2]) + 1)];
}

function validatorsOf({ style: { tags, dates }, version }: Answer): Record<string, string> {
  const now = new Date();
  const tag = { strong: `"v${version}"`, weak: `W/"v${version}"`, first: '"v0"', none: undefined }[tags];
  const date = {
    own: new Date(Date.UTC(2024, 0, 1) + version * HOUR_MS),
    first: new Date(Date.UTC(2024, 0, 1)),
    now,
    epoch: new Date(1000),
    none: undefined,
  }[dates];
  return {
    date: now.toUTCString(),
    ...(tag !== undefined && { etag: tag }),
    ...(date !== undefined && { 'last-modified': date.toUTCString() }),
  };
}
