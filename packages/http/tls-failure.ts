import { codeOf } from '#core/error-facts';
import { KNOWS_SYSTEM_AUTHORITIES } from './connection/system-authorities.ts';

const CLOCK = 'or the clock of this machine is wrong';
const EXTRA = 'set NODE_EXTRA_CA_CERTS to a file with the certificate to be trusted, if you know whose it is';
const TRUST = KNOWS_SYSTEM_AUTHORITIES
  ? `use --use-system-ca (HAULIER_USE_SYSTEM_CA=1) where the system trusts it, or ${EXTRA}`
  : `${EXTRA}; for what the system trusts, its file is often /etc/ssl/certs/ca-certificates.crt`;
const OWN = `its certificate is signed by itself: ${TRUST}`;
const STRANGER = `its certificate comes from an authority that this machine does not know, or an intermediate one is left out: ${TRUST}`;

/** Also for servers that say it in another way. */
export const ONLY_HTTP2 = 'it speaks only HTTP/2 at this port, HTTP/1.1 is needed';

/** By Node's name of the failure, which for certificates is that of OpenSSL's X509_V_ERR constants. */
const SENTENCES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: `its certificate has expired, ${CLOCK}`,
  CERT_NOT_YET_VALID: `its certificate is not valid yet, ${CLOCK}`,
  DEPTH_ZERO_SELF_SIGNED_CERT: OWN,
  SELF_SIGNED_CERT_IN_CHAIN: STRANGER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: STRANGER,
  UNABLE_TO_GET_ISSUER_CERT: STRANGER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: STRANGER,
  CERT_REVOKED: 'its certificate was revoked',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: ONLY_HTTP2,
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS at this port: is its address an http:// one?',
};

/**
 * Says in one sentence why no TLS connection came about.
 *
 * @returns undefined for any other error
 */
export function tlsSentence(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return otherName(error);
  return SENTENCES[code] ?? (code.startsWith('ERR_SSL_') ? handshake(error) : undefined);
}

/** The names that are in the certificate are a stranger's words and may be many: they are left to the cause. */
function otherName(error: unknown): string {
  const { host } = Object(error) as { host?: unknown };
  return `its certificate is for another name${typeof host === 'string' ? ` than ${host}` : ''}`;
}

function handshake(error: unknown): string {
  const { reason } = Object(error) as { reason?: unknown };
  return `the TLS handshake failed${typeof reason === 'string' ? `: ${reason}` : ''}`;
}
