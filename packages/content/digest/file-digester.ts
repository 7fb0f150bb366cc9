import type { DigestAlgorithm, Digests } from '#core/file-spec';
import { createDagBuilder, type BuiltDag, type DagProfile } from '../dag/dag-builder.ts';
import { startDigests } from './digests.ts';

export interface FileDigesterOptions {
  readonly algorithms: readonly DigestAlgorithm[];
  /** Also builds the file's DAG: its CID, leaf table and inner blocks. */
  readonly dagProfile?: DagProfile | undefined;
  /** Exact length of the file; needed for `git`. */
  readonly sizeBytes?: number | undefined;
}

export interface DigestedFile {
  readonly digests: Digests;
  readonly sizeBytes: number;
  readonly dag: BuiltDag | undefined;
}

export interface FileDigester {
  /** Takes the next bytes of the file, in order; not kept after the call. */
  update(bytes: Uint8Array): void;
  finish(): DigestedFile;
}

/**
 * Whole-file digests and, if wanted, the DAG, in one pass over the bytes.
 *
 * @throws RangeError when `git` is wanted without `sizeBytes`
 */
export function createFileDigester({ algorithms, dagProfile, sizeBytes }: FileDigesterOptions): FileDigester {
  const digests = startDigests(algorithms, { sizeBytes });
  const dag = dagProfile === undefined ? undefined : createDagBuilder(dagProfile);
  return {
    update(bytes) {
      digests.update(bytes);
      dag?.update(bytes);
    },
    finish: () => ({ ...digests.finish(), dag: dag?.finish() }),
  };
}
