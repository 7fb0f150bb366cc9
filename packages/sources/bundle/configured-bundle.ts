import type { ByteRange } from '#core/bytes/byte-range';
import { SourceError } from '#core/failure';
import type { ByteSink, Source } from '#core/source';
import { MIB } from '#core/units';
import type { Http } from '#http/pool';
import { openBundle, type Bundle, type BundleFileSpec } from './bundle.ts';
import { localBundle, type BundleReader } from './bundle-reader.ts';
import { mirror } from '../mirror.ts';

/** A bundle that the operator named. It is opened at the first read, because its medium may be plugged in later. */
export interface ConfiguredBundle {
  source(file: BundleFileSpec): Source;
}

/**
 * Makes the configured bundles, each with a unique name for journals and attempts: the second of one name is `… #2`.
 *
 * @param locations absolute paths, or http(s) URLs
 */
export function configuredBundles(locations: readonly string[], http: Http): ConfiguredBundle[] {
  const seen = new Map<string, number>();
  return locations.map((location) => {
    const reader = readerOf(location, http);
    const count = (seen.get(reader.name) ?? 0) + 1;
    seen.set(reader.name, count);
    return openedWhenWanted(count === 1 ? reader : readerOf(location, http, `${reader.name} #${count}`));
  });
}

const readerOf = (location: string, http: Http, name?: string): BundleReader =>
  /^https?:\/\//i.test(location) ? remoteBundle(http, location, name) : localBundle(location, name);

function openedWhenWanted(reader: BundleReader): ConfiguredBundle {
  let opened: Bundle | undefined;
  const open = async (signal: AbortSignal): Promise<Bundle> => (opened ??= await openBundle(reader, signal));
  return { source: (file) => lazySource(reader, file, () => opened, open) };
}

function lazySource(
  reader: BundleReader,
  file: BundleFileSpec,
  opened: () => Bundle | undefined,
  open: (signal: AbortSignal) => Promise<Bundle>,
): Source {
  return {
    name: reader.name,
    kind: 'bundle',
    layer: 'bundled',
    origin: reader.origin,
    capabilities: () => opened()?.source(file).capabilities() ?? { range: undefined, blocks: false, maxConnections: 1 },
    read: async (request, sink, signal) => {
      const bundle = await open(signal);
      await bundle.source(file).read(request, sink, signal);
    },
  };
}

/** Bytes of one request, held in memory. */
const REMOTE_BLOCK_BYTES = 4 * MIB;

/** A bundle on a server that serves byte ranges. The operator named it: the address policy does not apply to its own address. */
function remoteBundle(http: Http, url: string, given?: string): BundleReader {
  const source = mirror({ http, url, trusted: true });
  const name = given ?? `bundle ${source.name}`;
  return {
    name,
    origin: source.origin,
    sizeBytes: (signal) => sizeOf(source, name, signal),
    async *stream({ start, end }, signal) {
      for (let at = start; at < end;) {
        const block = await readBlock(source, { start: at, end: Math.min(end, at + REMOTE_BLOCK_BYTES) }, signal);
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
  if (totalBytes === undefined) throw new SourceError('bad-response', name, 'does not give the length of the bundle');
  return totalBytes;
}

/** Reads a range; a server may legally send only its beginning. */
async function readBlock(source: Source, range: ByteRange, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink: ByteSink = { head: () => undefined, write: (chunk) => void chunks.push(Buffer.from(chunk)) };
  await source.read({ range }, sink, signal);
  return Buffer.concat(chunks);
}
