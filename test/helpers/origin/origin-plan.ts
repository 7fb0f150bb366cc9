import { gzipSync } from 'node:zlib';
import type { Content } from './origin-content.ts';
import { sizeOf, wholeContent } from './origin-content.ts';
import type { Fault } from './origin-fault.ts';

/** What a healthy origin knows about the thing that was asked for. */
export interface Entity {
  readonly content: Content;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PlannedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Everything the sender has to do; plain data. */
export interface Plan {
  status: number;
  headers: Record<string, string>;
  content: Content;
  /** The part of the content that is sent. */
  start: number;
  end: number;
  framing: 'length' | 'chunked' | 'close';
  delayMs: number;
  hang: boolean;
  flipAt: number[];
  zeroFrom: number | undefined;
  otherBytes: boolean;
  endless: boolean;
  bytesPerSecond: number | undefined;
  stop: { readonly how: 'cut' | 'reset' | 'stall'; readonly afterBytes: number } | undefined;
  hold: { readonly fromByte: number; readonly until: Promise<void> } | undefined;
}

/** Decides what an origin answers. Pure: the same request, entity and faults give the same plan. */
export function planResponse(request: PlannedRequest, entity: Entity, faults: readonly Fault[]): Plan {
  const ignoresRange = faults.some((f) => f.do === 'ignore-range');
  const plan = healthy(request, entity, ignoresRange);
  for (const fault of faults) APPLY[fault.do](plan, fault as never, request, entity);
  return plan;
}

/** @returns `[start, end)` of a single satisfiable range, 'unsatisfiable', or undefined when there is none to honour. */
export function parseRange(header: string | undefined, size: number): [number, number] | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const length = Number(match[2]);
    return length === 0 || size === 0 ? 'unsatisfiable' : [Math.max(0, size - length), size];
  }
  const start = Number(match[1]);
  if (start >= size) return 'unsatisfiable';
  return [start, match[2] === '' ? size : Math.min(size, Number(match[2]) + 1)];
}

function healthy(request: PlannedRequest, entity: Entity, ignoresRange: boolean): Plan {
  const size = sizeOf(entity.content);
  const plan = whole(entity);
  const validator = request.headers['if-range'];
  const stale = validator !== undefined && validator !== entity.headers['etag'];
  if (entity.status !== 200 || ignoresRange || stale) return plan;
  const range = parseRange(request.headers['range'], size);
  if (range === undefined) return plan;
  if (range === 'unsatisfiable') return unsatisfiable(plan, size);
  [plan.start, plan.end] = range;
  plan.status = 206;
  setRange(plan, plan.start, plan.end, size);
  return plan;
}

function whole(entity: Entity): Plan {
  const size = sizeOf(entity.content);
  return {
    status: entity.status,
    headers: { ...entity.headers, 'content-length': String(size) },
    content: entity.content,
    start: 0,
    end: size,
    framing: 'length',
    delayMs: 0,
    hang: false,
    flipAt: [],
    zeroFrom: undefined,
    otherBytes: false,
    endless: false,
    bytesPerSecond: undefined,
    stop: undefined,
    hold: undefined,
  };
}

function unsatisfiable(plan: Plan, total: number | 'none'): Plan {
  replaceBody(plan, 416, 'text/plain', '');
  delete plan.headers['content-range'];
  if (total !== 'none') plan.headers['content-range'] = `bytes */${total}`;
  return plan;
}

function setRange(plan: Plan, start: number, end: number, total: number | '*'): void {
  plan.headers['content-range'] = `bytes ${start}-${end - 1}/${total}`;
  plan.headers['content-length'] = String(end - start);
}

function replaceBody(plan: Plan, status: number, type: string, body: string | Uint8Array): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  plan.status = status;
  plan.content = bytes;
  plan.start = 0;
  plan.end = bytes.byteLength;
  plan.headers['content-type'] = type;
  plan.headers['content-length'] = String(bytes.byteLength);
  delete plan.headers['content-range'];
}

function redirect(plan: Plan, status: number, location: string | undefined): void {
  const kept = Object.entries(plan.headers).filter(([name]) => name.startsWith('x-'));
  replaceBody(plan, status, 'text/plain', '');
  plan.headers = { ...Object.fromEntries(kept), 'content-length': '0' };
  if (location !== undefined) plan.headers['location'] = location;
}

const HTML = '<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>';
const LFS_POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 123456\n`;

type Apply<F> = (plan: Plan, fault: F, request: PlannedRequest, entity: Entity) => void;
type FaultOf<D> = Extract<Fault, { do: D }>;

const APPLY: { [D in Fault['do']]: Apply<FaultOf<D>> } = {
  none: () => undefined,
  status: (plan, fault) => {
    const headers = fault.headers ?? {};
    replaceBody(plan, fault.status, 'text/plain', fault.body ?? '');
    delete plan.headers['etag'];
    Object.assign(plan.headers, headers);
    if (fault.retryAfterS !== undefined) plan.headers['retry-after'] = String(fault.retryAfterS);
    if (fault.status === 204 || fault.status === 304) delete plan.headers['content-length'];
  },
  headers: (plan, fault) => {
    for (const [name, value] of Object.entries(fault.set)) {
      if (value === null) delete plan.headers[name];
      else plan.headers[name] = value;
    }
  },
  'big-headers': (plan, fault) => {
    plan.headers['x-padding'] = 'p'.repeat(fault.bytes);
  },
  delay: (plan, fault) => {
    plan.delayMs = fault.ms;
  },
  hang: (plan) => {
    plan.hang = true;
  },
  cut: (plan, fault) => {
    plan.stop = { how: 'cut', afterBytes: fault.afterBytes };
  },
  reset: (plan, fault) => {
    plan.stop = { how: 'reset', afterBytes: fault.afterBytes };
  },
  stall: (plan, fault) => {
    plan.stop = { how: 'stall', afterBytes: fault.afterBytes };
  },
  hold: (plan, { fromByte, until }) => {
    plan.hold = { fromByte, until };
  },
  drip: (plan, fault) => {
    plan.bytesPerSecond = fault.bytesPerSecond;
  },
  flip: (plan, fault) => {
    plan.flipAt.push(fault.atByte);
  },
  'zero-tail': (plan, fault) => {
    plan.zeroFrom = fault.fromByte;
  },
  'other-bytes': (plan) => {
    plan.otherBytes = true;
  },
  empty: (plan) => replaceBody(plan, 200, 'application/octet-stream', ''),
  endless: (plan) => {
    plan.endless = true;
    plan.framing = 'chunked';
  },
  'ignore-range': () => undefined,
  'no-content-range': (plan) => {
    delete plan.headers['content-range'];
  },
  'wrong-start': (plan, fault, _request, entity) => {
    const by = fault.by ?? 1;
    plan.start += by;
    plan.end = Math.min(plan.end + by, sizeOf(entity.content));
    setRange(plan, plan.start, plan.end, sizeOf(entity.content));
  },
  'end-short': (plan, fault, _request, entity) => {
    plan.end -= fault.by;
    setRange(plan, plan.start, plan.end, sizeOf(entity.content));
  },
  'end-beyond': (plan, fault, _request, entity) => {
    plan.end = Math.min(plan.end + fault.by, sizeOf(entity.content));
    setRange(plan, plan.start, plan.end, sizeOf(entity.content));
  },
  'wrong-total': (plan, fault) => {
    if (plan.status === 206) setRange(plan, plan.start, plan.end, fault.total);
    else if (fault.total !== '*') plan.headers['content-length'] = String(fault.total);
  },
  'last-before-first': (plan) => {
    plan.headers['content-range'] = `bytes ${plan.end}-${plan.start}/${sizeOf(plan.content)}`;
  },
  multipart: (plan) => {
    const part = `--b\r\ncontent-type: application/octet-stream\r\ncontent-range: bytes ${plan.start}-${plan.end - 1}/${sizeOf(plan.content)}\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from(part),
      wholeContent(plan.content, plan.start, plan.end),
      Buffer.from('\r\n--b--\r\n'),
    ]);
    replaceBody(plan, 206, 'multipart/byteranges; boundary=b', body);
  },
  'range-not-satisfiable': (plan, fault, _request, entity) => {
    unsatisfiable(plan, fault.total ?? sizeOf(entity.content));
  },
  'change-etag': (plan) => {
    plan.headers['etag'] = '"changed"';
  },
  'weak-etag': (plan) => {
    plan.headers['etag'] = `W/${plan.headers['etag'] ?? '"weak"'}`;
  },
  'no-etag': (plan) => {
    delete plan.headers['etag'];
  },
  gzip: (plan) => {
    const range = plan.headers['content-range'];
    replaceBody(
      plan,
      plan.status,
      'application/octet-stream',
      gzipSync(wholeContent(plan.content, plan.start, plan.end)),
    );
    plan.headers['content-encoding'] = 'gzip';
    if (range !== undefined) plan.headers['content-range'] = range;
  },
  html: (plan) => replaceBody(plan, 200, 'text/html; charset=utf-8', HTML),
  'json-error': (plan) => replaceBody(plan, 200, 'application/json', '{"error":"try again later"}'),
  'lfs-pointer': (plan) => replaceBody(plan, 200, 'application/octet-stream', LFS_POINTER),
  'no-length': (plan) => {
    plan.framing = 'close';
  },
  chunked: (plan) => {
    plan.framing = 'chunked';
  },
  redirect: (plan, fault) => redirect(plan, fault.status ?? 302, fault.to),
  'redirect-chain': (plan, fault, request) =>
    redirect(plan, 302, `/~hop/${fault.hops - 1}?to=${encodeURIComponent(request.path)}`),
  'redirect-loop': (plan) => redirect(plan, 302, '/~loop'),
  'redirect-nowhere': (plan) => redirect(plan, 302, undefined),
};
