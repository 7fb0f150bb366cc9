import '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../../server/errors/request-error.ts';
import { reachedBy } from './origin.ts';

/** Browsers keep it only from TLS and for this very host. @see RFC 6265bis section 4.1.3.2 */
const SECURE_NAME = '__Host-haulier';

const SHARED = { path: '/', httpOnly: true, sameSite: 'strict' } as const;

/** On one machine all ports share their cookies, so the name has the port. */
const plainName = (port: string): string => `haulier-${port || '80'}`;

/** @param withoutTls accept and give sessions without TLS on other machines, too (HAULIER_SIGN_IN_WITHOUT_TLS) */
export function readSessionCookie(request: FastifyRequest, withoutTls: boolean): string | undefined {
  const { isLoopback, port } = reachedBy(request);
  // A page of a sibling domain can set a cookie of the plain name, but none that begins with __Host-.
  const plain = isLoopback || withoutTls ? request.cookies[plainName(port)] : undefined;
  return request.cookies[SECURE_NAME] ?? plain;
}

/**
 * Gives the browser a session: with the attribute Secure, or on the machine of the API without it.
 *
 * @throws RequestError `insecure-connection` where a password would cross a network in the open
 */
export function setSessionCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  { token, expiresAt }: { readonly token: string; readonly expiresAt: Date },
  withoutTls: boolean,
): void {
  refuseWithoutTls(request, withoutTls);
  const { isSecure, port } = reachedBy(request);
  if (isSecure) void reply.setCookie(SECURE_NAME, token, { ...SHARED, secure: true, expires: expiresAt });
  else void reply.setCookie(plainName(port), token, { ...SHARED, expires: expiresAt });
}

/** Takes both forms away. */
export function dropSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  void reply.clearCookie(SECURE_NAME, { ...SHARED, secure: true });
  void reply.clearCookie(plainName(reachedBy(request).port), SHARED);
}

/** @throws RequestError `insecure-connection` */
export function refuseWithoutTls(request: FastifyRequest, withoutTls: boolean): void {
  const { isSecure, isLoopback } = reachedBy(request);
  if (isSecure || isLoopback || withoutTls) return;
  throw new RequestError(
    'insecure-connection',
    'the password and the session would cross the network in the open: reach the API over https (a proxy that ends TLS), or through ' +
      'a tunnel as http://127.0.0.1, such as ssh -L 7420:127.0.0.1:7420; HAULIER_SIGN_IN_WITHOUT_TLS=1 allows it all the same',
  );
}
