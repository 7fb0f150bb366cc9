import { SourceError, type ExhaustedError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { DEFAULT_BUDGETS, mayPass, type Budget } from '#core/policy';
import { hubEntry, hubHead, type HubEntry, type HubRepo } from '#sources/hub/hub-api';
import { FailureLog } from './failure-log.ts';
import { retrying } from './retrying.ts';

/** What a hub says that a file must be. */
export interface HubFacts {
  readonly sizeBytes: number | undefined;
  /** Empty when the hub has none. */
  readonly digests: Digests;
}

export interface HubFactsOptions {
  readonly signal: AbortSignal;
  readonly budget?: Budget | undefined;
  /** Told of each failure that is not the last word. */
  readonly onFailure?: ((error: SourceError) => void) | undefined;
}

const NOTHING: HubFacts = { sizeBytes: undefined, digests: {} };

/** @returns what a list says of a file: the SHA-256 of a large one, the git name of a small one */
export const factsOfEntry = ({ sizeBytes, sha256, gitSha1 }: HubEntry): HubFacts => ({
  sizeBytes,
  digests: sha256 !== undefined ? { sha256 } : gitSha1 !== undefined ? { git: gitSha1 } : {},
});

/**
 * Asks a hub what proves a file, before any of its bytes: the list of its folder first, whose digests are those of the repository, then the
 * headers of its address, for mirrors that have no lists. A refusal (gated, no such file) is left to the request for the bytes, which
 * says it; a hub that is down is not taken for one that has no digest.
 *
 * @throws ExhaustedError when the hub is away for longer than the budget allows; the signal's reason
 */
export async function hubFacts(
  repo: HubRepo,
  path: string,
  { signal, budget = DEFAULT_BUDGETS.huggingface, onFailure }: HubFactsOptions,
): Promise<HubFacts> {
  const listed = await said(() => hubEntry(repo, path, signal), signal, onFailure);
  if (listed !== undefined && hasDigest(factsOfEntry(listed))) return factsOfEntry(listed);
  try {
    return await retrying(() => hubHead(repo, path, signal), { budget, signal });
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    if (!mayPass(error.kind)) return NOTHING;
    throw exhausted(error, path);
  }
}

const hasDigest = ({ digests }: HubFacts): boolean => Object.keys(digests).length > 0;

/** A list that cannot be had, for whatever reason, is no answer: the headers are asked. */
async function said<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
  onFailure: HubFactsOptions['onFailure'],
): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    onFailure?.(error);
    return undefined;
  }
}

function exhausted(error: SourceError, path: string): ExhaustedError {
  const failures = new FailureLog();
  failures.add(error);
  return failures.exhausted(`the digest of ${path}`);
}
