import { readFacts } from '../blobs/blob-facts.ts';
import type { StoreContext } from '../context.ts';
import { contentOf, recordedCid, type FindSpec } from '../blobs/find.ts';
import { repairCandidate } from './quarantine.ts';
import type { RecordStore } from '../models/record-store.ts';

/** A damaged file of some content, most of which may still be good. */
export interface Repair {
  /** The quarantined file; input only. */
  readonly path: string;
  /** Whose leaf table tells good leaves from bad; undefined where none was ever known. */
  readonly cid: string | undefined;
}

/** The newest quarantined file of this content, whichever of its names the spec knows; undefined where there is none. */
export async function repairCandidateOf(
  context: StoreContext,
  records: RecordStore,
  spec: FindSpec,
): Promise<Repair | undefined> {
  const sha256 = await contentOf(context, records, spec);
  const path = sha256 === undefined ? undefined : await repairCandidate(context, sha256);
  if (sha256 === undefined || path === undefined) return undefined;
  const known = spec.cid ?? (await readFacts(context, sha256))?.cid;
  return { path, cid: known ?? (await recordedCid(records, sha256)) };
}
