import type { Socket } from 'node:net';
import type { AnswerHead } from './answer-head.ts';

/**
 * Lets a socket hand undici only prepared heads. Everything that a socket receives passes `push`, with and without `onread`, with
 * TLS and through a tunnel.
 */
export function prepareHeads(socket: Socket, head: AnswerHead): void {
  const push = socket.push.bind(socket);
  const passOn = (bytes: Buffer): boolean => bytes.length === 0 || push(bytes);
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null) {
      passOn(head.leftOver());
      return push(null);
    }
    if (!(chunk instanceof Uint8Array)) return push(chunk, encoding);
    try {
      return passOn(head.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    } catch (error) {
      socket.destroy(error as Error);
      return false;
    }
  };
}
