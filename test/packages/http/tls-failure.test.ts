import { afterEach, describe, expect, it } from '@jest/globals';
import type { SourceError } from '#core/failure';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { requestBytes } from '#http/small-request';
import { tlsSentence } from '#http/tls-failure';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import {
  EARLY_TLS,
  EXPIRED_TLS,
  LOOPBACK_TLS,
  STRANGE_AUTHORITY,
  STRANGER_TLS,
} from '../../helpers/origin/origin-tls.ts';
import { startOrigin, type OriginOptions } from '../../helpers/origin/origin.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Asks an origin over TLS. @returns why that failed; undefined when it did not */
async function refusal(tls: OriginOptions['tls'], ca?: string, host = '127.0.0.1'): Promise<SourceError | undefined> {
  const origin = await startOrigin(someBytes(10), [], tls ? { tls } : {});
  const addressPolicy = parseAddressPolicy(['127.0.0.0/8']);
  const http = createHttp({ addressPolicy, ...(ca === undefined ? {} : { ca }) });
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  const url = `https://${host}:${origin.port}/files/x`;
  return requestBytes(http, { url, source: 'test' }, 100, new AbortController().signal).then(
    () => undefined,
    (error: unknown) => error as SourceError,
  );
}

describe('a certificate that is not accepted', () => {
  it.each([
    ['of its own', LOOPBACK_TLS, undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT', /^its certificate is signed by itself/],
    [
      'of a stranger',
      STRANGER_TLS,
      undefined,
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /authority that this machine does not/,
    ],
    [
      'of a stranger who shows himself',
      { ...STRANGER_TLS, cert: STRANGER_TLS.cert + STRANGE_AUTHORITY },
      undefined,
      'SELF_SIGNED_CERT_IN_CHAIN',
      /authority that this machine does not/,
    ],
    [
      'that has expired',
      EXPIRED_TLS,
      EXPIRED_TLS.cert,
      'CERT_HAS_EXPIRED',
      /^its certificate has expired, or the clock/,
    ],
    [
      'of the future',
      EARLY_TLS,
      EARLY_TLS.cert,
      'CERT_NOT_YET_VALID',
      /^its certificate is not valid yet, or the clock/,
    ],
  ])('%s is named in one sentence, and the code is kept', async (_what, tls, ca, code, message) => {
    const error = await refusal(tls, ca);
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(message), cause: { code } });
    expect(error!.message).not.toContain(code);
  });

  it('is named with the name that was asked for, not with those that it has', async () => {
    const error = await refusal(LOOPBACK_TLS, LOOPBACK_TLS.cert, 'other.localhost');
    expect(error).toMatchObject({
      message: 'its certificate is for another name than other.localhost',
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  });

  it('does not stand in the way when its authority is known', async () => {
    expect(await refusal(STRANGER_TLS, STRANGE_AUTHORITY)).toBeUndefined();
  });
});

describe('a port that speaks no TLS', () => {
  it('is named as such, without the words of a library', async () => {
    const error = await refusal(undefined);
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/^it does not speak TLS/) });
  });
});

describe('other errors', () => {
  it('of a handshake are told by their reason', () => {
    const alert = Object.assign(new Error('80CB:error:0A000410:SSL routines::x:../deps/openssl:1605:'), {
      code: 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      reason: 'ssl/tls alert handshake failure',
    });
    expect(tlsSentence(alert)).toBe('the TLS handshake failed: ssl/tls alert handshake failure');
  });

  it('are none of TLS', () => {
    expect(tlsSentence(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))).toBeUndefined();
    expect(tlsSentence('text')).toBeUndefined();
  });
});
