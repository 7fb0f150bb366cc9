import { encodeCar } from '#content/dag/car';
import { createDagBuilder, type DagProfile } from '#content/dag/dag-builder';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import { MIB } from '#core/units';
import type { Store } from '#store/open-store';
import type { Contents, OpenContent } from './contents.ts';

const PROFILES: readonly DagProfile[] = ['unixfs-v1-2025', 'unixfs-v0-2015'];
const READ_BYTES = MIB;

/**
 * Makes the leaf table of a published file again from its bytes, where a profile that we know leads to its CID, and keeps it.
 *
 * @returns whether it did; false for a CID that names no file of the store
 */
export async function rebuildLeaves(store: Store, contents: Contents, cid: string): Promise<boolean> {
  const sha256 = await contents.ofCid(cid);
  const content = sha256 === undefined ? undefined : await contents.open(sha256);
  if (content === undefined) return false;
  try {
    const builders = PROFILES.map(createDagBuilder);
    for await (const bytes of blocksOf(content)) for (const builder of builders) builder.update(bytes);
    const built = builders.map((builder) => builder.finish()).find((dag) => dag.cid === cid);
    if (built === undefined) return false;
    await store.writeLeaves(cid, { table: encodeLeafTable(built.table), inner: encodeCar(cid, built.innerBlocks) });
    return true;
  } finally {
    await content.close();
  }
}

async function* blocksOf(content: OpenContent): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = 0; at < content.sizeBytes;) {
    const count = await content.read(buffer, at);
    if (count === 0) return;
    yield buffer.subarray(0, count);
    at += count;
  }
}
