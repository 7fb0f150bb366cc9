import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

export const makeSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64');

/**
 * Signs one attempt to send a message: HMAC-SHA-256 over id, time and body.
 *
 * @param secrets `whsec_…`, the present one first; each signs, so that receivers may change theirs at any moment
 * @param atS seconds since 1970
 * @returns the value of `webhook-signature`
 * @see the section "Webhook headers" of the Standard Webhooks specification
 */
export function signatureOf(secrets: readonly string[], id: string, atS: number, body: string): string {
  const sign = (secret: string): string => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${atS}.${body}`, 'utf8').digest('base64')}`;
  };
  return secrets.map(sign).join(' ');
}
