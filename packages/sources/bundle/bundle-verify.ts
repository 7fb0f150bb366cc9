import { createHash } from 'node:crypto';
import { BUNDLE_INDEX_NAME, type BundleMember } from '#content/archives/bundle-index';
import { openBundleArchive, refusals, walk, type BundleLimits } from './bundle-archive.ts';
import { localBundle, type BundleReader } from './bundle-reader.ts';

export interface BundleReport {
  readonly memberCount: number;
  readonly checkedBytes: number;
  /** One sentence for each problem; empty for an intact bundle. */
  readonly problems: readonly string[];
  /** SHA-256 of each content that is damaged or missing. */
  readonly damaged: ReadonlySet<string>;
  readonly members: readonly BundleMember[];
  /** From the index; unproven. */
  readonly manifests: readonly unknown[];
}

export interface VerifyBundleOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: BundleLimits | undefined;
  readonly onProgress?: ((checkedBytes: number) => void) | undefined;
}

/**
 * Reads a whole bundle and checks every member against the index, and that it has no other entries.
 *
 * @param bundle a path, or a reader
 * @throws SourceError when it is no bundle, is hostile, or cannot be read
 */
export async function verifyBundle(
  bundle: string | BundleReader,
  options: VerifyBundleOptions = {},
): Promise<BundleReport> {
  const reader = typeof bundle === 'string' ? localBundle(bundle) : bundle;
  const signal = options.signal ?? new AbortController().signal;
  const archive = await openBundleArchive(reader, signal, options.limits);
  const missing = new Map(archive.members);
  const problems: string[] = [];
  const damaged = new Set<string>();
  let checkedBytes = 0;
  await refusals(reader.name, async () => {
    for await (const entry of walk(archive, await reader.sizeBytes(signal), signal)) {
      const member = archive.members.get(entry.name);
      missing.delete(entry.name);
      if (member === undefined) {
        if (entry.name !== BUNDLE_INDEX_NAME) problems.push(`${entry.name} is in the bundle and not in its index`);
        continue;
      }
      const hash = createHash('sha256');
      for await (const chunk of entry.chunks()) {
        hash.update(chunk);
        checkedBytes += chunk.length;
        options.onProgress?.(checkedBytes);
      }
      const actual = hash.digest('hex');
      if (actual === member.sha256) continue;
      damaged.add(member.sha256);
      problems.push(`${entry.name} has SHA-256 ${actual}, not ${member.sha256}`);
    }
  });
  for (const [name, { sha256 }] of missing) {
    damaged.add(sha256);
    problems.push(`${name} is in the index and not in the bundle`);
  }
  const { members, manifests } = archive.index;
  return { memberCount: archive.members.size, checkedBytes, problems, damaged, members, manifests };
}
