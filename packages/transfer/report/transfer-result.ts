import type { BuiltDag } from '#content/dag/dag-builder';
import { canonicalCid } from '#content/cid/canonical-cid';
import type { DigestedFile } from '#content/digest/file-digester';
import { VerifyError } from '#core/failure';
import type { SourceState } from '../run/source-state.ts';
import type { TransferOptions, TransferResult, Verification } from './transfer-options.ts';
import type { TryLog } from './tries.ts';

export interface TransferAccounts {
  readonly states: readonly SourceState[];
  readonly tries: TryLog;
  readonly resumedBytes: number;
  readonly carriedBytes: number;
  readonly wastedBytes: number;
}

export function resultOf(
  { file, table, partialPath, layers }: TransferOptions,
  proof: DigestedFile,
  { states, tries, resumedBytes, carriedBytes, wastedBytes }: TransferAccounts,
): TransferResult {
  const used = layers.filter((layer) =>
    states.some((state) => state.source.layer === layer && state.committedBytes > 0),
  );
  const dag = table === undefined ? dagOfAsked(file.cid, proof.dag) : undefined;
  return {
    partialPath,
    sizeBytes: proof.sizeBytes,
    digests: proof.digests,
    cid: table?.rootCid ?? (file.cid === undefined ? dag?.profileCid : dag?.cid),
    table: table ?? dag?.table,
    innerBlocks: dag?.innerBlocks,
    verified: verificationOf({ file, table }),
    deepestLayer: used.at(-1),
    resumedBytes,
    carriedBytes,
    wastedBytes,
    badLeaves: states.reduce((sum, state) => sum + state.badLeaves, 0),
    sources: states.map((state) => state.report()),
    tryCount: tries.count,
    tries: tries.kept,
  };
}

/**
 * The DAG that was built from the bytes; undefined if its CID differs from the one in the identity. Then only the digest proved the bytes,
 * and the given CID stays unproven.
 */
const dagOfAsked = (cid: string | undefined, built: BuiltDag | undefined): BuiltDag | undefined =>
  cid === undefined || built?.cid === canonicalCid(cid) ? built : undefined;

function verificationOf({ file, table }: Pick<TransferOptions, 'file' | 'table'>): Verification {
  if (table !== undefined) return 'leaves';
  return Object.keys(file.digests).length > 0 ? 'digest' : 'none';
}

/** @throws RangeError, VerifyError when the options contradict each other */
export function refuseContradictions({ file, table, sources }: TransferOptions): void {
  const names = new Set(sources.map((source) => source.name));
  if (names.size < sources.length) throw new RangeError('sources: two sources have the same name; give each its own');
  if (table !== undefined && file.sizeBytes !== undefined && table.sizeBytes !== file.sizeBytes)
    throw new VerifyError(
      'wrong-digest',
      `the DAG ${table.rootCid} describes ${table.sizeBytes} bytes, expected ${file.sizeBytes} bytes`,
    );
}
