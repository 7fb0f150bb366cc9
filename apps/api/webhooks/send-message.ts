import { messageOf } from '#core/error-facts';
import { SECOND_MS } from '#core/units';
import type { SendAttemptEnd } from '#core/webhook/after-attempt';
import type { ClaimedDelivery } from '#database/webhooks/claim-deliveries';
import type { Http } from '#http/pool';
import { parseRetryAfter } from '#http/retry-after';
import { signatureOf } from './secret.ts';

/** An endpoint that needs longer is expected to answer first and work later. */
export const ANSWER_TIMEOUT_MS = 20 * SECOND_MS;

/** How an attempt ended, and why it is no success. */
export interface SentMessage extends SendAttemptEnd {
  readonly error: string | null;
}

export interface SendOptions {
  /** A client for one attempt: a connection that waited could be closed by the endpoint just as it is used. */
  readonly openHttp: () => Http;
  readonly now: () => Date;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Sends one message once. Redirects are not followed, and the body of the answer is not read.
 *
 * @returns also for an endpoint that cannot be reached
 * @throws the reason of the signal
 */
export async function sendMessage(delivery: ClaimedDelivery, options: SendOptions): Promise<SentMessage> {
  const { openHttp, now, signal } = options;
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const http = openHttp();
  try {
    const consumer = { head: () => false, data: () => undefined };
    const request = { ...requestOf(delivery, now()), method: 'POST', source: 'endpoint' } as const;
    const { status, headers } = await http.request(request, consumer, AbortSignal.any([signal, timeout]));
    const retryAfterMs = parseRetryAfter(headers['retry-after'], now().getTime());
    return { status, retryAfterMs, error: sentenceOf(status) };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const late = `no answer within ${ANSWER_TIMEOUT_MS / SECOND_MS} s`;
    return { status: undefined, retryAfterMs: undefined, error: timeout.aborted ? late : messageOf(error) };
  } finally {
    http.close();
  }
}

function requestOf(
  delivery: ClaimedDelivery,
  now: Date,
): { url: string; headers: Record<string, string>; body: string } {
  const { url, secret, previousSecret, previousUntil, eventId, body } = delivery;
  const isPreviousValid = previousSecret !== null && previousUntil !== null && previousUntil > now;
  const atS = Math.floor(now.getTime() / SECOND_MS);
  const secrets = isPreviousValid ? [secret, previousSecret] : [secret];
  const headers = {
    'content-type': 'application/json',
    'webhook-id': eventId,
    'webhook-timestamp': String(atS),
    'webhook-signature': signatureOf(secrets, eventId, atS, body),
  };
  return { url, headers, body };
}

function sentenceOf(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400)
    return `answered ${status}: redirects are not followed, so give the URL that it leads to`;
  return `answered ${status}`;
}
