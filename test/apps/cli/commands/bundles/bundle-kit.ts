import { writeFile } from 'node:fs/promises';
import { BUNDLE_INDEX_NAME, encodeBundleIndex } from '#content/archives/bundle-index';
import { createDagBuilder } from '#content/dag/dag-builder';
import { sha256Of } from '../../../../helpers/origin/origin-content.ts';
import { foreignTar } from '../../../../packages/content/archives/tar-samples.ts';

/** As `haulier model add --dir` gives it. */
export function cidOf(bytes: Uint8Array): string {
  const builder = createDagBuilder('unixfs-v1-2025');
  builder.update(bytes);
  return builder.finish().cid;
}

export const manifest = (version: string, content: Record<string, Uint8Array>, more: object = {}): object => ({
  ...{ name: 'm', version },
  files: Object.entries(content).map(([path, bytes]) => ({
    ...{ path, sha256: sha256Of(bytes), sizeBytes: bytes.length, ...more },
  })),
});

/**
 * A bundle of contents and manifests that need not fit.
 *
 * @param named what the index says of each content; what it has where it is left out
 */
export async function handMadeBundle(
  path: string,
  manifests: readonly object[],
  contents: readonly Uint8Array[],
  named: readonly Uint8Array[] = contents,
): Promise<string> {
  const members = named.map((bytes) => {
    const sha256 = sha256Of(Buffer.from(bytes));
    return { name: `blobs/sha256/${sha256}`, sha256, sizeBytes: bytes.length };
  });
  const text = encodeBundleIndex({ schema: 'haulier.bundle/v1', manifests, members });
  const entries = contents.map((bytes, at) => ({
    name: members[at]!.name,
    text: Buffer.from(bytes) as unknown as string,
  }));
  await writeFile(path, await foreignTar([{ name: BUNDLE_INDEX_NAME, text }, ...entries]));
  return path;
}
