import { codeOf } from '#core/error-facts';

/** What Redis says when it is up and refuses a connection, with what to change. It lasts until an operator changes it. */
const REFUSALS: readonly (readonly [said: RegExp, advice: string])[] = [
  [/NOAUTH/, 'Redis wants a password: write it into REDIS_URL, redis://:password@host:6379'],
  [
    /WRONGPASS|invalid password/,
    'Redis refuses the user name or the password of REDIS_URL: correct them. An enrolled host was revoked, or enrolled again elsewhere: enrol it with a new token',
  ],
  [/DENIED Redis is running in protected mode/, 'Redis is in protected mode: give it a password, and REDIS_URL too'],
];

const UNTRUSTED =
  'the certificate of Redis comes from an authority that this machine does not know: set NODE_EXTRA_CA_CERTS to the file of the authority';
const CLIENT_CERTIFICATE =
  'Redis may want a certificate of its clients, which Haulier has not: set "tls-auth-clients no", and a password';
/** A Redis without TLS waits for the end of a line that never comes. */
export const NO_TLS = 'Redis may speak no TLS at this port: write redis:// into REDIS_URL, or the port with TLS';
const WANTS_TLS = 'Redis may want TLS at this port: write rediss:// into REDIS_URL';
const CLOCK = 'or the clock of this machine is wrong';

/** By Node's name of the failure, which for certificates is that of OpenSSL's X509_V_ERR constants. */
const TLS_FAILURES: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_HAS_EXPIRED: `the certificate of Redis has expired, ${CLOCK}`,
  CERT_NOT_YET_VALID: `the certificate of Redis is not valid yet, ${CLOCK}`,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate of Redis is for another name than the one in REDIS_URL: write a name that it has',
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: CLIENT_CERTIFICATE,
};

const refusals = new WeakMap<object, string>();

/**
 * @param redis a connection
 * @param error what a command of this connection failed with
 * @returns why Redis refuses this connection, with what to change; undefined where it does not, as far as is known
 */
export const redisRefusal = (redis: object, error?: unknown): string | undefined =>
  (error instanceof Error ? adviceOn(error) : undefined) ?? refusals.get(redis);

/** Remembers why a connection is refused; undefined when it is not any more. @returns whether that is news */
export function noteRefusal(redis: object, advice: string | undefined): boolean {
  const isNews = advice !== refusals.get(redis);
  if (advice === undefined) refusals.delete(redis);
  else refusals.set(redis, advice);
  return isNews;
}

/** How far a connection has come. */
export interface ConnectionStage {
  readonly tls: boolean;
  /** Redis was reached, and has not answered the first command yet. */
  readonly isGreeting: boolean;
}

/**
 * @param error of a connection or a command; that of a whole cluster carries the one of the node which was asked last
 * @returns what to change, where the error says so or is typical of it
 */
export function adviceOn(error: Error & { lastNodeError?: unknown }, stage?: ConnectionStage): string | undefined {
  const advice = TLS_FAILURES[codeOf(error)] ?? REFUSALS.find(([said]) => said.test(error.message))?.[1];
  if (advice !== undefined) return advice;
  if (error.lastNodeError instanceof Error) return adviceOn(error.lastNodeError, stage);
  return stage && silentRefusal(codeOf(error), stage);
}

/** A Redis that expects TLS, or a certificate, closes the connection without a word. */
function silentRefusal(code: string, { tls, isGreeting }: ConnectionStage): string | undefined {
  if (isGreeting && (code === 'ECONNRESET' || code === 'EPIPE')) return tls ? CLIENT_CERTIFICATE : WANTS_TLS;
  return tls && code === 'ETIMEDOUT' ? NO_TLS : undefined;
}
