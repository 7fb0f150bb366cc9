import type { HubRepoType } from './hub-name.ts';

/** Digest algorithms a manifest may name (EX3); `git` is the git blob SHA-1 that hubs give for small files. */
export const DIGEST_ALGORITHMS = ['sha256', 'sha512', 'sha1', 'md5', 'git'] as const;

export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Lower-case hex by algorithm. */
export type Digests = Readonly<Partial<Record<DigestAlgorithm, string | undefined>>>;

/** Where one file may come from, as a manifest says it. */
export type SourceSpec =
  | {
      readonly kind: 'huggingface';
      readonly repo: string;
      readonly repoType?: HubRepoType | undefined;
      /** Branch, tag or commit. */
      readonly revision: string;
      /** Path inside the repository. */
      readonly path: string;
    }
  | { readonly kind: 'mirror'; readonly url: string };

/**
 * One file as a transfer needs it: its identity, and where it may come from. Proof comes from a digest
 * or from the CID; without either, `allowUnverified` must be set and the result is labelled unverified.
 */
export interface FileSpec {
  /** Relative, `/`-separated, checked by contracts. */
  readonly path: string;
  /** Exact length in bytes, when known. */
  readonly sizeBytes?: number | undefined;
  /** Least length in bytes, when the exact one is not known (CH3). */
  readonly minBytes?: number | undefined;
  readonly digests: Digests;
  readonly cid?: string | undefined;
  readonly allowUnverified?: boolean | undefined;
  readonly sources: readonly SourceSpec[];
}

/** How the layers share the work: one after another, or all at once. */
export type Strategy = 'ordered' | 'parallel';
