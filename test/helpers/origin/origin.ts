import { once, setMaxListeners } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Content } from './origin-content.ts';
import type { Fault, FaultRule } from './origin-fault.ts';
import type { Entity, PlannedRequest } from './origin-plan.ts';
import { parseRange, planResponse } from './origin-plan.ts';
import type { RouteOptions, Served } from './origin-routes.ts';
import { routeRequest } from './origin-routes.ts';
import { sendPlan } from './origin-send.ts';

export interface RecordedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The Range header as sent. */
  readonly range: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  status: number;
  /** Body bytes handed to the socket. */
  bytesSent: number;
}

export interface OriginOptions extends RouteOptions {
  /** Speed limit of each response. */
  readonly bytesPerSecond?: number;
  /** Faults by path, position or method instead of by order. */
  readonly rules?: readonly FaultRule[];
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly host?: string;
  readonly port?: number;
}

export interface Origin {
  /** `http://127.0.0.1:<port>`, no trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly requests: RecordedRequest[];
  /** Fault of request n at index n, counted from the start; may grow while the origin runs. */
  readonly faults: (Fault | readonly Fault[])[];
  readonly rules: FaultRule[];
  /** Connections accepted so far. */
  readonly connections: () => number;
  /** Replaces what is served. */
  serve(content: Served | Content): void;
  close(): Promise<void>;
}

/**
 * A server on loopback that is a mirror at `/files/<path>`, an IPFS gateway at `/ipfs/<cid>` and a hub at
 * `/<org>/<name>/resolve/<rev>/<path>` and `/api/models/...`, and that fails as told: request n suffers
 * `faults[n]` (each request that matches a rule suffers the rule instead), the others are healthy.
 */
export async function startOrigin(
  content: Served | Content,
  faults: readonly (Fault | readonly Fault[])[] = [],
  options: OriginOptions = {},
): Promise<Origin> {
  const state = {
    served: content,
    faults: [...faults],
    rules: [...(options.rules ?? [])],
    used: new Map<FaultRule, number>(),
    requests: [] as RecordedRequest[],
    counted: 0,
    connections: 0,
    sockets: new Set<Socket>(),
    closing: new AbortController(),
  };
  // Each response that waits listens for the end of the origin.
  setMaxListeners(0, state.closing.signal);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(state, options, request, response).catch((error: unknown) => {
      if (!state.closing.signal.aborted) response.destroy(error as Error);
    });
  };
  const server: Server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket: Socket) => {
    state.connections += 1;
    state.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => state.sockets.delete(socket));
  });
  const host = options.host ?? '127.0.0.1';
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    requests: state.requests,
    faults: state.faults,
    rules: state.rules,
    connections: () => state.connections,
    serve: (next) => {
      state.served = next;
    },
    close: () => closeServer(server, state.sockets, state.closing),
  };
}

interface State {
  served: Served | Content;
  readonly faults: (Fault | readonly Fault[])[];
  readonly rules: FaultRule[];
  readonly used: Map<FaultRule, number>;
  readonly requests: RecordedRequest[];
  counted: number;
  readonly closing: AbortController;
}

async function answer(
  state: State,
  options: OriginOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = plannedRequest(message);
  const record = recordOf(request, await bodyOf(message));
  state.requests.push(record);
  const isDetour = request.path.startsWith('/~');
  const faults = isDetour ? [] : faultsOf(state, request);
  const entity = isDetour ? detour(request.path) : routeRequest(request, state.served, options);
  const plan = planResponse(request, entity, faults);
  plan.bytesPerSecond ??= options.bytesPerSecond;
  record.status = plan.status;
  await sendPlan(plan, request.method, response, (count) => (record.bytesSent += count), state.closing.signal);
}

function faultsOf(state: State, request: PlannedRequest): readonly Fault[] {
  const index = state.counted;
  state.counted += 1;
  const rule = state.rules.find((candidate) => applies(candidate, request, state.used.get(candidate) ?? 0));
  if (rule) state.used.set(rule, (state.used.get(rule) ?? 0) + 1);
  const fault = rule?.fault ?? state.faults[index];
  return fault === undefined ? [] : 'do' in fault ? [fault] : fault;
}

function applies(rule: FaultRule, request: PlannedRequest, used: number): boolean {
  if (used >= (rule.times ?? Infinity)) return false;
  if (rule.method !== undefined && rule.method !== request.method) return false;
  return matchesPath(rule.path, request.path) && covers(rule.covers, request.headers['range']);
}

function matchesPath(wanted: string | RegExp | undefined, path: string): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === 'string' ? path.includes(wanted) : wanted.test(path);
}

function covers(position: number | undefined, rangeHeader: string | undefined): boolean {
  if (position === undefined) return true;
  const range = parseRange(rangeHeader, Number.MAX_SAFE_INTEGER);
  return range === undefined || (Array.isArray(range) && range[0] <= position && position < range[1]);
}

/** The hops of a redirect chain and the loop; they count as requests but suffer no faults. */
function detour(path: string): Entity {
  const url = new URL(path, 'http://origin');
  const hops = Number(/^\/~hop\/(\d+)$/.exec(url.pathname)?.[1] ?? Number.NaN);
  const to = url.searchParams.get('to') ?? '/';
  const arrived = `${to}${to.includes('?') ? '&' : '?'}hopped`;
  const onward = `/~hop/${hops - 1}?to=${encodeURIComponent(to)}`;
  const location = Number.isNaN(hops) ? '/~loop' : hops > 0 ? onward : arrived;
  return { content: new Uint8Array(0), status: 302, headers: { location } };
}

function plannedRequest(message: IncomingMessage): PlannedRequest {
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
  return { method: message.method ?? 'GET', path: message.url ?? '/', headers };
}

const recordOf = (request: PlannedRequest, body: string): RecordedRequest => ({
  method: request.method,
  path: request.path,
  range: request.headers['range'],
  headers: request.headers,
  body,
  status: 0,
  bytesSent: 0,
});

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, closing: AbortController): Promise<void> {
  if (closing.signal.aborted) return;
  closing.abort();
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}
