import { afterEach, describe, expect, it } from '@jest/globals';
import { parseGateway } from '#sources/gateway/gateways';
import { ipfsGateway } from '#sources/gateway/ipfs-gateway';
import { makeBlock } from '../../../helpers/dag/dag.ts';
import { startRawServer } from '../../../helpers/origin/raw-server.ts';
import { quickHttp } from '../collect.ts';

const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('a block that looks like a page', () => {
  const page = Buffer.from('<!DOCTYPE html><html><body>a leaf of a page</body></html>');
  const { cid } = makeBlock(0x55, page);
  const readFrom = async (body: Buffer): Promise<Uint8Array> => {
    const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n\r\n`;
    const server = await startRawServer(() => ({ pieces: [head, body] }));
    const http = quickHttp();
    closers.push(
      () => server.close(),
      () => http.close(),
    );
    const source = ipfsGateway({ http, gateway: parseGateway(server.url), cid, fileName: 'x.html', trusted: true });
    return source.readBlock!(cid, 1000, never);
  };

  it('HR28 is taken when it is the block of its CID', async () => {
    expect(Buffer.from(await readFrom(page)).equals(page)).toBe(true);
  });

  it('E04 is refused as a page when it is not the block, and the gateway has a cooldown', async () => {
    await expect(readFrom(Buffer.from('<html>Sign in</html>'))).rejects.toMatchObject({
      kind: 'bad-response',
      message: 'sent an HTML page, not a block',
      retryAfterMs: expect.any(Number),
    });
  });
});
