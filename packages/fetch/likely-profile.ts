import type { DagProfile } from '#content/dag/dag-builder';
import { tryParseCid } from '#content/cid/cid';
import { SHA2_256 } from '#content/digest/multihash';

/**
 * The profile by which a file with this CID was most likely cut, judged by the CID's version as it was written. Where no source gives
 * blocks, a DAG built by that profile with the same root proves the CID. Another root proves nothing, because a file has as many CIDs
 * as there are ways to cut it.
 *
 * @returns undefined when no profile leads to such a CID
 */
export function likelyProfile(cid: string): DagProfile | undefined {
  const parsed = tryParseCid(cid);
  if (parsed?.hashCode !== SHA2_256) return undefined;
  return parsed.version === 0 ? 'unixfs-v0-2015' : 'unixfs-v1-2025';
}
