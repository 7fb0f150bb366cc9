import type { ByteSink, ReadRequest, ResponseHead, Source } from '#core/source';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { Http, HttpOptions } from '#http/pool';
import { createHttp } from '#http/pool';

export interface Collected {
  readonly head: ResponseHead | undefined;
  readonly bytes: Buffer;
  readonly error: unknown;
}

/** Reads from a source into memory; every other chunk is held for a moment, as a disk would. */
export async function collect(
  source: Source,
  request: ReadRequest,
  signal = new AbortController().signal,
): Promise<Collected> {
  const chunks: Buffer[] = [];
  let head: ResponseHead | undefined;
  let error: unknown;
  const sink: ByteSink = {
    head: (given) => {
      head = given;
    },
    write: (chunk) => {
      if (chunks.length % 2 === 1) return void chunks.push(Buffer.from(chunk));
      return new Promise((resolve) => setImmediate(() => resolve(void chunks.push(Buffer.from(chunk)))));
    },
  };
  try {
    await source.read(request, sink, signal);
  } catch (thrown) {
    error = thrown;
  }
  return { head, bytes: Buffer.concat(chunks), error };
}

/** On a busy machine an answer of this process itself comes late, too. */
const QUICK = { headersMs: 1000, stallMs: 1000, lowSpeedMs: 1000, connectMs: 1000, lookupMs: 1000, tlsMs: 1000 };

/** A client for origins on loopback that loses patience soon. */
export const quickHttp = (options: HttpOptions = {}): Http =>
  createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8', '::1']), timeouts: QUICK, ...options });
