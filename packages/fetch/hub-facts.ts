import { SourceError, type ExhaustedError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { DEFAULT_BUDGETS, mayPass, type Budget } from '#core/policy';
import { hubEntry, hubHead, type HubEntry, type HubRepo } from '#sources/hub/hub-api';
import { FailureLog } from './failure-log.ts';
import { retrying } from './retrying.ts';

/** The public hub, where no other endpoint is configured. */
export const PUBLIC_HUB = 'https://huggingface.co';

/** Length and digests of a file, as its hub gives them. */
export interface HubFacts {
  readonly sizeBytes: number | undefined;
  /** Empty when the hub has none. */
  readonly digests: Digests;
}

export interface HubFactsOptions {
  readonly signal: AbortSignal;
  readonly budget?: Budget | undefined;
  /** Called for each failure after which the hub is asked in another way. */
  readonly onFailure?: ((error: SourceError) => void) | undefined;
}

const NOTHING: HubFacts = { sizeBytes: undefined, digests: {} };

/** @returns the facts in a list entry: the SHA-256 of a large file, the git name of a small one */
export const factsOfEntry = ({ sizeBytes, sha256, gitSha1 }: HubEntry): HubFacts => ({
  sizeBytes,
  digests: sha256 !== undefined ? { sha256 } : gitSha1 !== undefined ? { git: gitSha1 } : {},
});

/**
 * Asks a hub for the digest of a file, before any of its bytes: first the list of its folder, whose digests are those of the
 * repository, then the headers of its address, for mirrors without lists. A refusal (gated, no such file) gives no facts: the
 * request for the bytes reports it. A hub that is down is a failure, because its digests are unknown and not missing.
 *
 * @throws ExhaustedError when the hub is down for longer than the budget allows; the signal's reason
 */
export async function hubFacts(
  repo: HubRepo,
  path: string,
  { signal, budget = DEFAULT_BUDGETS.origin, onFailure }: HubFactsOptions,
): Promise<HubFacts> {
  const listed = await unlessFailed(() => hubEntry(repo, path, signal), signal, onFailure);
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

/** @returns undefined for a list that cannot be read, for whatever reason: then the headers are asked */
async function unlessFailed<T>(
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
  failures.addError(error);
  return failures.exhausted(`the digest of ${path}`);
}
