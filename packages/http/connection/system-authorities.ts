import * as tls from 'node:tls';

/** Node 22.15 and later; the types are those of the oldest Node that is supported. */
type GetCertificates = (type: 'default' | 'system') => string[];
const getCertificates = (tls as { getCACertificates?: GetCertificates }).getCACertificates;

/** Whether this Node can read the authority store of the system. */
export const KNOWS_SYSTEM_AUTHORITIES = getCertificates !== undefined;

export const NO_SYSTEM_AUTHORITIES =
  `Node ${process.versions.node} cannot read the authority store of the system, 22.15 and later can: ` +
  'set NODE_EXTRA_CA_CERTS to its file instead, on many systems /etc/ssl/certs/ca-certificates.crt';

/**
 * Certificates of the authorities that Node trusts, those of NODE_EXTRA_CA_CERTS included, and of those that the system trusts.
 *
 * @returns PEM
 * @throws RangeError on a Node that cannot read the store of the system
 */
export function systemAuthorities(): readonly string[] {
  if (getCertificates === undefined) throw new RangeError(NO_SYSTEM_AUTHORITIES);
  return [...new Set([...getCertificates('default'), ...getCertificates('system')])];
}
