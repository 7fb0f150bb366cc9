import type { Socket } from 'node:net';
import { codeOf } from '#core/error-facts';

type Emit = (event: string | symbol, ...values: unknown[]) => boolean;

/** What a server may be sent before a request, and ignores (RFC 9112 section 2.2). */
const EMPTY_LINE = '\r\n';

export interface EndGuard {
  /** The parser is paused, because the consumer holds a chunk. */
  readonly isHeld: () => boolean;
  /** A body is being read. */
  readonly isInBody: () => boolean;
}

/**
 * Passes the end of a connection to undici only when it is one, and not while the parser is paused: undici asserts that it is not
 * paused when a body that lasts until close ends, and that assertion would end the process.
 *
 * Node reports a reset that arrives together with the last data as an end, because libuv takes a hang-up after a partial read for
 * the end of the stream. A body without a length would be complete then. A write tells the two apart: the kernel refuses it on a
 * connection that was reset, and takes it on one whose other side has only closed. Under TLS a reset is not always told apart.
 *
 * @returns to be called once the parser is not paused any more: tells of an end that came meanwhile
 */
export function guardEnd(socket: Socket, { isHeld, isInBody }: EndGuard): () => void {
  const emit = socket.emit.bind(socket) as Emit;
  let ended = false;
  const tellEnd = (): void => {
    if (!ended || isHeld()) return;
    ended = false;
    emit('end');
  };
  const probe = (): void => {
    socket.write(EMPTY_LINE, (error) => {
      if (error != null) return void emit('error', withoutReset(Object.assign(error, { code: 'ECONNRESET' })));
      ended = true;
      tellEnd();
    });
  };
  const guarded: Emit = (event, ...values) => {
    if (event === 'error') return emit(event, withoutReset(values[0]));
    if (event !== 'end') return emit(event, ...values);
    if (isInBody()) return (probe(), true);
    ended = true;
    tellEnd();
    return true;
  };
  socket.emit = guarded as Socket['emit'];
  return tellEnd;
}

/** undici takes ECONNRESET for the end of a body that lasts until close, and asks even a paused parser. It is not one. */
function withoutReset(error: unknown): unknown {
  if (codeOf(error) !== 'ECONNRESET') return error;
  return Object.assign(new Error('the connection was reset', { cause: error }), { code: 'UND_ERR_SOCKET' });
}
