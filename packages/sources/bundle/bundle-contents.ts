import type { BundleMember } from '#content/archives/bundle-index';
import { refusals, walk, type BundleArchive } from './bundle-archive.ts';

/** One content of a bundle, in the order of the bundle. */
export interface BundleContent {
  readonly member: BundleMember;
  /** True where `read` may be called again, and from any position. */
  readonly canSeek: boolean;
  /** Unproven bytes from a position on. Must be read before the next content is requested. @throws SourceError */
  read(from: number): AsyncIterable<Uint8Array>;
}

/**
 * Reads a bundle once and yields the wanted contents; other contents are skipped, without reading them if the bundle is a plain tar.
 *
 * @throws SourceError `bad-response` for a damaged or hostile bundle; `unreachable` …
 */
export async function* wantedContents(
  archive: BundleArchive,
  isWanted: (member: BundleMember) => boolean,
  signal: AbortSignal,
): AsyncGenerator<BundleContent> {
  const { reader } = archive;
  const entries = walk(archive, await reader.sizeBytes(signal), signal);
  try {
    for (;;) {
      const next = await refusals(reader.name, () => entries.next());
      if (next.done === true) return;
      const entry = next.value;
      const member = archive.members.get(entry.name);
      if (member === undefined || member.sizeBytes !== entry.sizeBytes || !isWanted(member)) continue;
      const { start } = entry;
      const canSeek = archive.compression === undefined && start !== undefined;
      let isInPlace = true;
      const read = (from: number): AsyncIterable<Uint8Array> => {
        const bytes =
          isInPlace && (from === 0 || start === undefined)
            ? withRefusals(reader.name, entry.chunks())
            : reader.stream({ start: start! + from, end: start! + entry.sizeBytes }, signal);
        isInPlace = false;
        return bytes;
      };
      yield { member, canSeek, read };
    }
  } finally {
    await entries.return(undefined);
  }
}

async function* withRefusals(source: string, chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await refusals(source, () => chunks.next());
    if (next.done === true) return;
    yield next.value;
  }
}
