import type { FastifyReply } from 'fastify';

/** @returns a signal that aborts when the client disconnects, so that the work for its request ends */
export function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // A listener on the connection instead of the answer would leak: the connection carries further requests.
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
