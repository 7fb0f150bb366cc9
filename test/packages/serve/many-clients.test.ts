import { createHash } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { cleansUp, hubView, numbered, publishBytes, served } from './serve-kit.ts';

cleansUp();

/** More than are read ahead for. */
const CLIENTS = 24;
/** More than the kernel takes for a client that does not read. */
const BYTES = numbered(12 * MIB + 3);

const headersOf = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => get(url, { agent: false }, resolve).on('error', reject));

async function sha256OfBody(response: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of response) hash.update(part as Buffer);
  return hash.digest('hex');
}

it('EX5 many clients that all wait in the middle of a file get right bytes', async () => {
  const { store, url } = await served();
  const { sha256 } = await publishBytes(store, BYTES, { view: hubView('model.bin') });
  const file = `${url}/acme/tiny/resolve/main/model.bin`;
  const responses = await Promise.all(Array.from({ length: CLIENTS }, () => headersOf(file)));
  expect(new Set(await Promise.all(responses.map(sha256OfBody)))).toEqual(new Set([sha256]));
});
