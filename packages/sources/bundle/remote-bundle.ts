import type { ByteRange } from '#core/byte-range';
import { SourceError } from '#core/failure';
import type { ByteSink, Source } from '#core/source';
import { MIB } from '#core/units';
import type { Http } from '#http/pool';
import type { BundleReader } from './bundle-reader.ts';
import { mirror } from '../mirror.ts';

/** Bytes asked for at once, and held in memory. */
const BLOCK_BYTES = 4 * MIB;

/** A bundle on a server that serves byte ranges. The operator named it: its own address is not questioned. */
export function remoteBundle(http: Http, url: string, given?: string): BundleReader {
  const source = mirror({ http, url, trusted: true });
  const name = given ?? `bundle ${source.name}`;
  return {
    name,
    origin: source.origin,
    sizeBytes: (signal) => sizeOf(source, name, signal),
    async *stream({ start, end }, signal) {
      for (let at = start; at < end;) {
        const block = await readBlock(source, { start: at, end: Math.min(end, at + BLOCK_BYTES) }, signal);
        if (block.length === 0) return;
        yield block;
        at += block.length;
      }
    },
  };
}

async function sizeOf(source: Source, name: string, signal: AbortSignal): Promise<number> {
  let totalBytes: number | undefined;
  const sink: ByteSink = {
    head: (head) => {
      totalBytes = head.totalBytes;
    },
    write: () => undefined,
  };
  await source.read({ range: { start: 0, end: 1 } }, sink, signal);
  if (totalBytes === undefined) throw new SourceError('bad-response', name, 'does not say how long it is');
  return totalBytes;
}

/** The bytes of a range from its start on; a legal prefix may be shorter. */
async function readBlock(source: Source, range: ByteRange, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink: ByteSink = { head: () => undefined, write: (chunk) => void chunks.push(Buffer.from(chunk)) };
  await source.read({ range }, sink, signal);
  return Buffer.concat(chunks);
}
