import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError, type SourceFailureKind } from '#core/failure';
import type { Layer, SourceKind } from '#core/layer';
import type { ByteSink, ReadRequest, Source, SourceCapabilities } from '#core/source';
import type { Validator } from '#core/bytes/validator';

const LAYER_BY_KIND: Record<SourceKind, Layer> = {
  local: 'cache',
  'ipfs-gateway': 'ipfs',
  huggingface: 'origin',
  mirror: 'origin',
  bundle: 'bundled',
  peer: 'peer',
};

/** What a fake source does wrong. Positions are of the file. */
export interface FakeBehaviour {
  readonly name?: string;
  readonly kind?: SourceKind;
  readonly layer?: Layer;
  /** Length of the chunks it sends; default 64 KiB. */
  readonly chunkBytes?: number;
  /** Overrides the chunk lengths one by one; the last repeats. */
  readonly slicing?: readonly number[];
  /** Changes a chunk before it is sent. */
  readonly corrupt?: (position: number, chunk: Uint8Array) => void;
  /** Fails the n-th read (from 0) before the head; null lets it pass. */
  readonly failRead?: (n: number, request: ReadRequest) => SourceError | SourceFailureKind | null;
  /** Breaks each response off after so many bytes. */
  readonly cutAfterBytes?: number | ((n: number) => number | undefined);
  /** Ends each response legally after so many bytes. */
  readonly prefixBytes?: number;
  /** Of each response; may depend on how many bytes of it are sent. */
  readonly bytesPerSecond?: number | ((sentBytes: number) => number);
  /** Sends so many bytes, then nothing until it is aborted. */
  readonly stallAfterBytes?: number | ((n: number) => number | undefined);
  /** `false`: answers a range from 0, and bytes that nothing proves, with the whole file, and refuses other ranges. */
  readonly ranges?: boolean;
  /** Says no total length. */
  readonly hidesSize?: boolean;
  readonly sizeBytes?: number;
  readonly etag?: string | ((n: number) => string | undefined);
  /** Raw blocks by CID. */
  readonly blocks?: (cid: string) => Uint8Array | undefined;
  /** Parts it holds; other ranges are `missing`. */
  readonly holds?: readonly { start: number; end: number }[];
  readonly capabilities?: Partial<SourceCapabilities>;
}

export interface FakeSource extends Source {
  readonly requests: (ReadRequest | { readonly block: string })[];
  /** Requests running now, and the most there were at once. */
  readonly load: { now: number; most: number };
}

/** An in-process source over known bytes that can misbehave in every way a transfer must survive. */
export function fakeSource(bytes: Uint8Array, behaviour: FakeBehaviour = {}): FakeSource {
  const kind = behaviour.kind ?? 'mirror';
  const name = behaviour.name ?? 'fake';
  const requests: FakeSource['requests'] = [];
  const load = { now: 0, most: 0 };
  let range: boolean | undefined = undefined;
  const fail = (error: SourceError | SourceFailureKind): SourceError =>
    typeof error === 'string' ? new SourceError(error, name, error) : error;

  const blocks = behaviour.blocks;
  return {
    name,
    kind,
    layer: behaviour.layer ?? LAYER_BY_KIND[kind],
    origin: `fake://${name}`,
    requests,
    load,
    capabilities: () => ({ range, blocks: blocks !== undefined, maxConnections: 4, ...behaviour.capabilities }),
    async read(request, sink, signal) {
      const n = requests.length;
      requests.push(request);
      load.now += 1;
      load.most = Math.max(load.most, load.now);
      try {
        const failure = behaviour.failRead?.(n, request) ?? null;
        if (failure !== null) throw fail(failure);
        const span = spanOf(bytes, request, behaviour);
        if (span === undefined) throw fail('range-refused');
        if (request.range !== undefined) range = behaviour.ranges ?? true;
        if (!isHeld(span, behaviour)) throw fail('missing');
        await send(bytes, span, behaviour, n, sink, signal, fail);
      } finally {
        load.now -= 1;
      }
    },
    ...(blocks === undefined
      ? {}
      : {
          readBlock: async (cid: string) => {
            requests.push({ block: cid });
            await sleep(0);
            const block = blocks(cid);
            if (block === undefined) throw fail('missing');
            return block;
          },
        }),
  };
}

function spanOf(bytes: Uint8Array, { range, continues }: ReadRequest, behaviour: FakeBehaviour) {
  if (range === undefined) return { start: 0, end: bytes.length };
  if (behaviour.ranges === false) return range.start === 0 || continues ? { start: 0, end: bytes.length } : undefined;
  const end = Math.min(range.end, bytes.length);
  return { start: range.start, end: Math.min(end, range.start + (behaviour.prefixBytes ?? Infinity)) };
}

const isHeld = (span: { start: number }, { holds }: FakeBehaviour): boolean =>
  holds === undefined || holds.some((part) => part.start <= span.start && span.start < part.end);

/** One response under way. */
interface Sending {
  readonly bytes: Uint8Array;
  readonly span: { readonly start: number; readonly end: number };
  readonly behaviour: FakeBehaviour;
  readonly sink: ByteSink;
  readonly signal: AbortSignal;
  readonly fail: (kind: SourceFailureKind) => SourceError;
  /** Bytes after which it breaks off, and after which it stalls. */
  readonly cut: number;
  readonly stall: number;
}

const CHUNK_BYTES = 65_536;

async function send(
  bytes: Uint8Array,
  span: { start: number; end: number },
  behaviour: FakeBehaviour,
  n: number,
  sink: ByteSink,
  signal: AbortSignal,
  fail: (kind: SourceFailureKind) => SourceError,
): Promise<void> {
  const of = <T>(value: T | ((n: number) => T)): T =>
    typeof value === 'function' ? (value as (n: number) => T)(n) : value;
  const held = behaviour.holds?.find((part) => part.start <= span.start && span.start < part.end);
  const end = Math.min(span.end, held?.end ?? Infinity);
  const isShy = behaviour.hidesSize === true;
  sink.head({
    start: span.start,
    end: isShy ? undefined : end,
    totalBytes: isShy ? undefined : (behaviour.sizeBytes ?? bytes.length),
    validator: validatorOf(behaviour.name ?? 'fake', of(behaviour.etag)),
  });
  const cut = of(behaviour.cutAfterBytes) ?? Infinity;
  const stall = of(behaviour.stallAfterBytes) ?? Infinity;
  const sent = await sendChunks({ bytes, span: { start: span.start, end }, behaviour, sink, signal, fail, cut, stall });
  if (sent >= cut && span.start + sent < span.end) throw fail('interrupted');
}

const validatorOf = (place: string, etag: string | undefined): Validator | undefined =>
  etag === undefined ? undefined : { place, etag, lastModified: undefined };

/** @returns how many bytes were sent */
async function sendChunks(sending: Sending): Promise<number> {
  const { bytes, span, behaviour, sink } = sending;
  // One buffer for every chunk, overwritten each time: a consumer that keeps a chunk's memory fails its test.
  const memory = new Uint8Array(Math.max(behaviour.chunkBytes ?? CHUNK_BYTES, ...(behaviour.slicing ?? [1])));
  const pace = paceOf(sending);
  let sent = 0;
  for (let i = 0; span.start + sent < span.end; i += 1) {
    await breakOrStall(sending, sent);
    const position = span.start + sent;
    const wanted =
      behaviour.slicing?.[Math.min(i, behaviour.slicing.length - 1)] ?? behaviour.chunkBytes ?? CHUNK_BYTES;
    const length = Math.min(wanted, span.end - position, sending.cut - sent, sending.stall - sent);
    const chunk = memory.subarray(0, length);
    chunk.set(bytes.subarray(position, position + length));
    behaviour.corrupt?.(position, chunk);
    const wait = sink.write(chunk);
    chunk.fill(0xee);
    if (wait !== undefined) await wait;
    sent += length;
    await pace(length, sent, i);
  }
  return sent;
}

async function breakOrStall({ signal, cut, stall, fail }: Sending, sent: number): Promise<void> {
  if (signal.aborted) throw fail('aborted');
  if (sent >= cut) throw fail('interrupted');
  if (sent >= stall) await untilAborted(signal);
  if (signal.aborted) throw fail('aborted');
}

/** Keeps to the rate, or lets others have a turn now and then. */
function paceOf({ behaviour, signal }: Sending): (length: number, sent: number, i: number) => Promise<void> {
  const { bytesPerSecond: rate } = behaviour;
  let dueAt = performance.now();
  return async (length, sent, i) => {
    if (rate === undefined) {
      if (i % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    dueAt += (length / (typeof rate === 'number' ? rate : rate(sent))) * 1000;
    const waitMs = dueAt - performance.now();
    // An abort is met at the next chunk.
    if (waitMs > 1) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  };
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
