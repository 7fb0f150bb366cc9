import { describe, expect, it } from '@jest/globals';
import { adviceOn } from '#queue/refusal';

const failure = (code: string): Error => Object.assign(new Error('a failure'), { code });
const greeting = { tls: false, isGreeting: true };
const working = { tls: false, isGreeting: false };

describe('an error of a connection to Redis', () => {
  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'has expired'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'for another name'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls-auth-clients no'],
  ])('K34 %s says what to change', (code, advice) => {
    expect(adviceOn(failure(code))).toContain(advice);
  });

  it.each([
    ['closed before the first answer, without TLS', 'ECONNRESET', greeting, 'rediss://'],
    ['closed before the first answer, with TLS', 'ECONNRESET', { ...greeting, tls: true }, 'tls-auth-clients no'],
    ['no handshake in time', 'ETIMEDOUT', { ...working, tls: true }, 'no TLS at this port'],
  ])('K34 %s is typical of a wrong setting', (_what, code, stage, advice) => {
    expect(adviceOn(failure(code), stage)).toContain(advice);
  });

  it.each([
    ['closed while it worked', 'ECONNRESET', working],
    ['refused', 'ECONNREFUSED', greeting],
    ['too slow without TLS', 'ETIMEDOUT', working],
  ])('%s says nothing of a setting', (_what, code, stage) => {
    expect(adviceOn(failure(code), stage)).toBeUndefined();
  });

  it('K34 of a cluster is judged by the node that was asked last', () => {
    const error = Object.assign(new Error('Failed to refresh slots cache.'), {
      lastNodeError: failure('CERT_HAS_EXPIRED'),
    });
    expect(adviceOn(error)).toContain('has expired');
  });
});
