import { VerifyError } from '#core/failure';
import type { Outcome } from '#core/layer';
import type { SourceReport } from '#transfer/report/transfer-options';
import type { ExistingTarget } from './target/existing-target.ts';
import type { Obtained } from './obtain.ts';

export interface DownloadReport {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Undefined also when one was asked for and only a digest proved the bytes. */
  readonly cid: string | undefined;
  readonly outcome: Outcome;
  /** False when nothing proved the bytes. */
  readonly verified: boolean;
  readonly resumedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly sources: readonly SourceReport[];
}

/** @throws VerifyError when the transfer computed no digest */
export function reportOf(path: string, obtained: Obtained): DownloadReport {
  const { sha256 } = obtained.digests;
  if (sha256 === undefined) throw new VerifyError('unproven', `the transfer of ${path} ended without a digest`);
  const { sizeBytes, cid, outcome, resumedBytes, wastedBytes, badLeaves, sources } = obtained;
  const verified = obtained.verified !== 'none';
  return { path, sizeBytes, sha256, cid, outcome, verified, resumedBytes, wastedBytes, badLeaves, sources };
}

export const reportOfProven = (path: string, { sizeBytes, digests, cid }: ExistingTarget): DownloadReport => ({
  path,
  sizeBytes,
  sha256: digests.sha256!,
  cid,
  outcome: 'cache_hit',
  verified: true,
  resumedBytes: sizeBytes,
  wastedBytes: 0,
  badLeaves: 0,
  sources: [],
});
