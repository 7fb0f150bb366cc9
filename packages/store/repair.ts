import { readFacts } from './blob-facts.ts';
import type { StoreContext } from './context.ts';
import { contentOf, type FindSpec } from './find.ts';
import { filesOf } from './model-records.ts';
import { repairCandidate } from './quarantine.ts';
import type { RecordStore } from './record-store.ts';

/** A damaged file of some content, most of which may still be good. */
export interface Repair {
  /** The quarantined file; input only. */
  readonly path: string;
  /** Whose leaf table tells good leaves from bad; undefined where none was ever known. */
  readonly cid: string | undefined;
}

/** The newest quarantined file of this content, whichever of its names the spec knows; undefined where there is none. */
export async function repairOf(
  context: StoreContext,
  records: RecordStore,
  spec: FindSpec,
): Promise<Repair | undefined> {
  const sha256 = await contentOf(context, spec);
  const path = sha256 === undefined ? undefined : await repairCandidate(context, sha256);
  if (sha256 === undefined || path === undefined) return undefined;
  return { path, cid: spec.cid ?? (await cidOf(context, records, sha256)) };
}

/** The facts go with the quarantine; the records keep the CID. */
async function cidOf(context: StoreContext, records: RecordStore, sha256: string): Promise<string | undefined> {
  const fact = (await readFacts(context, sha256))?.cid;
  if (fact !== undefined) return fact;
  for (const { file } of filesOf(await records.read())) if (file.sha256 === sha256 && file.cid) return file.cid;
  return undefined;
}
