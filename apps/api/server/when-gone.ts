import type { FastifyReply } from 'fastify';

/** @returns a signal that aborts when the client goes away, so that its request is not worked on any longer */
export function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // Of the answer, not of its connection: that one is kept for further requests, and would keep a listener for each.
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
