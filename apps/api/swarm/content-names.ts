import { tryParseCid } from '#content/cid/cid';
import { cidV0Text, CODEC } from '#content/cid/cid-bytes';
import { canonicalCid } from '#content/cid/canonical-cid';
import type { SwarmView } from '#contracts/swarm-view';
import { namesOfContents } from '#database/models/content-names';
import type { Database } from '#database/sql/connect';

const SHA2_256 = 0x12;

/**
 * Files of versions with each content. Manifests may name it in version 0.
 *
 * @param cids version 1, base32
 */
export async function filesOfCids(
  database: Database,
  cids: readonly string[],
): Promise<(cid: string) => SwarmView['files']> {
  const rows = await namesOfContents(database, cids.flatMap(spellings));
  return (wanted) => rows.flatMap(({ cid, ...file }) => (canonicalCid(cid) === wanted ? [file] : []));
}

function spellings(cid: string): string[] {
  const parts = tryParseCid(cid);
  const hasOlder = parts?.codec === CODEC.dagPb && parts.hashCode === SHA2_256;
  return hasOlder ? [cid, cidV0Text(parts.digest)] : [cid];
}
