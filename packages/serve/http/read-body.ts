import { MIB } from '#core/units';
import type { Exchange } from './exchange.ts';

const MAX_BODY_BYTES = MIB;

/** The text of a request's body. @returns undefined when it is longer than 1 MiB */
export async function readBody({ request }: Exchange): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
