import { SourceError } from '#core/failure';
import { MINUTE_MS } from '#core/units';
import type { SourceHealth } from './source-health.ts';

/** Longest pause that such a request makes, as long as one report of a host counts in its fleet. */
const LONGEST_MS = 5 * MINUTE_MS;

/** A server that is asked for something other than files. */
export interface AskedServer {
  readonly origin: string;
  /** As failures name it. */
  readonly name: string;
  /** The rate limit that the request counts against; undefined when that is not known. */
  readonly bucket?: string | undefined;
}

/**
 * Sends a request for something other than a file, such as a list or the newest version, to a server that files come from: not while the server is
 * paused. A pause that the answer asks for holds for files too. Other failures say nothing of how well it serves files.
 *
 * @throws SourceError
 */
export async function keepingPauses<Answer>(
  health: Pick<SourceHealth, 'refusePaused' | 'coolDown' | 'asked'>,
  { origin, name, bucket }: AskedServer,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  health.refusePaused(origin, name, bucket);
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof SourceError) || error.retryAfterMs === undefined) throw error;
    const { kind, message, httpStatus, bucket: ofBucket } = error;
    const retryAfterMs = Math.min(error.retryAfterMs, LONGEST_MS);
    health.coolDown(origin, retryAfterMs, ofBucket, { kind, message });
    health.asked.note(origin, { retryAfterMs, httpStatus, bucket: ofBucket, connectionLimit: undefined });
    throw error;
  }
}
