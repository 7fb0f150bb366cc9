import { canonicalCid } from '#content/cid/canonical-cid';
import type { BundleMember } from '#content/archives/bundle-index';
import type { ByteRange } from '#core/bytes/byte-range';
import { SourceError } from '#core/failure';
import type { FileSpec } from '#core/file-spec';
import type { ByteSink, Source } from '#core/source';
import { openBundleArchive, refusals, walk, type BundleArchive, type BundleLimits } from './bundle-archive.ts';
import { abortedBy, askedRange } from '../local-bytes.ts';
import type { BundleReader } from './bundle-reader.ts';

/** Models in one file, for hosts without a network. */
export interface Bundle {
  readonly name: string;
  /** Manifests in the bundle; unproven. */
  readonly manifests: readonly unknown[];
  readonly members: readonly BundleMember[];
  /** True when the bundle has this content. */
  has(file: BundleFileSpec): boolean;
  /** Serves one file of the bundle. A file that the bundle does not have, such as one of a newer version, is `missing`. */
  source(file: BundleFileSpec): Source;
}

export type BundleFileSpec = Pick<FileSpec, 'path' | 'digests'> & Partial<Pick<FileSpec, 'cid'>>;

/**
 * Opens a bundle by its index; the transfer proves the members.
 *
 * @throws SourceError `bad-response` for a hostile or broken bundle; `missing`, `unreachable` … when it cannot be read
 */
export async function openBundle(reader: BundleReader, signal: AbortSignal, limits?: BundleLimits): Promise<Bundle> {
  const archive = await openBundleArchive(reader, signal, limits);
  const { members } = archive.index;
  const bySha256 = new Map(members.map((member) => [member.sha256, member.name]));
  const byCid = new Map(
    members.flatMap(({ cid, name }) => (cid === undefined ? [] : [[canonicalCid(cid), name] as const])),
  );
  const nameOf = ({ digests, cid }: BundleFileSpec): string | undefined =>
    digests.sha256 === undefined ? byCid.get(canonicalCid(cid ?? '')) : bySha256.get(digests.sha256);
  return {
    name: reader.name,
    manifests: archive.index.manifests,
    members,
    has: (file) => nameOf(file) !== undefined,
    source: (file) => memberSource(archive, nameOf(file), file.path),
  };
}

function memberSource(archive: BundleArchive, name: string | undefined, path: string): Source {
  const { reader } = archive;
  return {
    name: reader.name,
    kind: 'bundle',
    layer: 'bundled',
    origin: reader.origin,
    capabilities: () => ({ range: archive.compression === undefined, blocks: false, maxConnections: 1 }),
    async read(request, sink, signal) {
      const member = archive.members.get(name ?? '');
      if (member === undefined)
        throw new SourceError('missing', reader.name, `has no ${JSON.stringify(path)} with this content`);
      const range = askedRange(reader.name, member.sizeBytes, request);
      sink.head({ start: range.start, end: range.end, totalBytes: member.sizeBytes, validator: undefined });
      await refusals(reader.name, () =>
        member.start === undefined
          ? readStreamed(archive, member, range, sink, signal)
          : readPlain(archive, member.start, range, sink, signal),
      );
    },
  };
}

/** A member of a plain tar is a byte range of the bundle. */
async function readPlain(
  archive: BundleArchive,
  memberStart: number,
  range: ByteRange,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  let left = range.end - range.start;
  const span = { start: memberStart + range.start, end: memberStart + range.end };
  for await (const chunk of archive.reader.stream(span, signal)) {
    left -= chunk.length;
    await sink.write(chunk);
  }
  if (left > 0) throw new SourceError('interrupted', archive.reader.name, `the bundle ended ${left} bytes early`);
}

/** A compressed bundle is read from its beginning; bytes before the range are skipped. */
async function readStreamed(
  archive: BundleArchive,
  member: BundleMember,
  range: ByteRange,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  for await (const entry of walk(archive, await archive.reader.sizeBytes(signal), signal)) {
    if (entry.name !== member.name) continue;
    if (entry.sizeBytes !== member.sizeBytes)
      throw new SourceError(
        'size-mismatch',
        archive.reader.name,
        `has ${entry.sizeBytes} bytes, its index says ${member.sizeBytes}`,
      );
    let at = 0;
    for await (const chunk of entry.chunks()) {
      if (signal.aborted) throw abortedBy(archive.reader.name, signal);
      const part = chunk.subarray(Math.max(0, range.start - at), Math.max(0, range.end - at));
      if (part.length > 0) await sink.write(part);
      at += chunk.length;
      if (at >= range.end) return;
    }
    return;
  }
  throw new SourceError('missing', archive.reader.name, `lists ${member.name} and does not have it`);
}
