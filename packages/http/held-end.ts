import type { Socket } from 'node:net';
import { codeOf } from '#core/error-facts';

type Emit = (event: string | symbol, ...values: unknown[]) => boolean;

/**
 * Keeps the end of a connection from undici while the consumer holds a chunk. undici's parser asserts that it is not
 * paused when a body that lasts until close ends, or is reset; that assertion would end the process.
 *
 * @param isHeld whether the parser is paused
 * @returns to be called once it is not: tells of an end that came meanwhile
 */
export function keepEndWhileHeld(socket: Socket, isHeld: () => boolean): () => void {
  const emit = socket.emit.bind(socket) as Emit;
  let ended = false;
  const guarded: Emit = (event, ...values) => {
    if (event === 'error') return emit(event, withoutReset(values[0]));
    if (event !== 'end' || !isHeld()) return emit(event, ...values);
    ended = true;
    return true;
  };
  socket.emit = guarded as Socket['emit'];
  return () => {
    if (!ended || isHeld()) return;
    ended = false;
    emit('end');
  };
}

/** undici takes ECONNRESET for the end of a body that lasts until close, and asks even a paused parser. It is not one. */
function withoutReset(error: unknown): unknown {
  if (codeOf(error) !== 'ECONNRESET') return error;
  return Object.assign(new Error('the connection was reset', { cause: error }), { code: 'UND_ERR_SOCKET' });
}
