import type { HubRepoType } from './text/hub-name.ts';

/** Digest algorithms a manifest may name; `git` is the git blob SHA-1 that hubs give for small files. */
export const DIGEST_ALGORITHMS = ['sha256', 'sha512', 'sha1', 'md5', 'git'] as const;

export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Lower-case hex by algorithm. */
export type Digests = Readonly<Partial<Record<DigestAlgorithm, string | undefined>>>;

const DIGESTS_OF_NOTHING: Required<Digests> = {
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  sha512:
    'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
  sha1: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  md5: 'd41d8cd98f00b204e9800998ecf8427e',
  git: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
};

/** Whether the digests are those of an empty file: then its size is known as well. */
export const isOfNothing = (digests: Digests): boolean =>
  DIGEST_ALGORITHMS.some((name) => digests[name]?.toLowerCase() === DIGESTS_OF_NOTHING[name]);

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
  | {
      readonly kind: 'mirror';
      readonly url: string;
      /** Name of a secret that workers hold for its origin. */
      readonly secretRef?: string | undefined;
    };

/**
 * One file as a transfer needs it: its identity, and where it may come from. Proof comes from a digest
 * or from the CID; without either, `allowUnverified` must be set and the result is labelled unverified.
 */
export interface FileSpec {
  /** Relative, `/`-separated, checked by contracts. */
  readonly path: string;
  /** Exact length in bytes, when known. */
  readonly sizeBytes?: number | undefined;
  /** Least length in bytes, when the exact one is not known. */
  readonly minBytes?: number | undefined;
  readonly digests: Digests;
  readonly cid?: string | undefined;
  readonly allowUnverified?: boolean | undefined;
  readonly sources: readonly SourceSpec[];
}

/** How the layers share the work: one after another, or all at once. */
export type Strategy = 'ordered' | 'parallel';
