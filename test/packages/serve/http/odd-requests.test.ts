import { chmod, open } from 'node:fs/promises';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { ask, cleansUp, hubView, numbered, publishBytes, served, type Published, type Served } from '../serve-kit.ts';

cleansUp();

const NAME = "mödel (a)'s.bin";
let server: Served;
let model: Published;

beforeAll(async () => {
  server = await served();
  model = await publishBytes(server.store, numbered(2 * MIB + 7), { view: hubView(NAME) });
});

/** Sends a request as it stands. @returns all of the answer, and whether the connection was reset */
function sent(request: string): Promise<{ readonly text: string; readonly isReset: boolean }> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(request, 'latin1'));
    let text = '';
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('error', () => resolve({ text, isReset: true }));
    socket.on('end', () => resolve({ text, isReset: false }));
  });
}

describe('a request in a form that few clients send', () => {
  const path = `/acme/tiny/resolve/main/${encodeURIComponent(NAME)}`;

  it('EX5 is answered where it has the whole URL', async () => {
    const { text } = await sent(
      `HEAD ${server.url}${path}?download=true HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const root = await sent(`HEAD ${server.url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(root.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('EX5 is answered where it is of HTTP/1.0', async () => {
    const { text, isReset } = await sent(`GET ${path} HTTP/1.0\r\nRange: bytes=0-9\r\n\r\n`);
    expect([text, isReset]).toEqual([expect.stringMatching(/^HTTP\/1\.1 206 [^]*content-length: 10\r\n/), false]);
  });

  it('EX5 for the headers of a range is told those of the whole: ranges are defined for GET alone', async () => {
    const { status, headers } = await ask(`${server.url}${path}`, { method: 'HEAD', headers: { range: 'bytes=0-9' } });
    expect([status, headers['content-length']]).toEqual([200, `${model.bytes.length}`]);
  });

  it.each([
    ['?filename=weights.json', 'inline; filename="weights.json"', 'application/json'],
    ['?filename=weights.json&download=true', 'attachment; filename="weights.json"', 'application/json'],
    ['?download=true', undefined, 'application/octet-stream'],
  ])('EX5 for a CID names what it is to be called: %s', async (query, disposition, type) => {
    const { headers } = await ask(`${server.url}/ipfs/${model.cid}${query}`, { method: 'HEAD' });
    expect([headers['content-disposition'], headers['content-type']]).toEqual([disposition, type]);
  });

  it('EX5 for the CAR of a CID that is its own content gets one without blocks', async () => {
    const { status, body } = await ask(`${server.url}/ipfs/bafkqac3imvwgy3zao5xxe3de?format=car`);
    // It is in the CID of the root alone.
    expect([status, body.toString('latin1').split('hello world').length - 1]).toEqual([200, 1]);
  });

  it('EX5 has a file name that is not ASCII in its answer', async () => {
    const { headers } = await ask(`${server.url}${path}`, { method: 'HEAD' });
    expect(headers['content-disposition']).toBe(
      `attachment; filename="m_del (a)'s.bin"; filename*=UTF-8''m%C3%B6del%20%28a%29%27s.bin`,
    );
  });

  it('EX5 for a name of IPNS is told that there are only CIDs', async () => {
    const { status, body } = await ask(`${server.url}/ipns/docs.example`);
    expect([status, body.toString()]).toEqual([501, expect.stringMatching(/IPNS .* not served: ask for the CID/)]);
  });

  it('EX5 F18 of HTTP/1.0 for a CAR with a damaged block ends with a reset: its end is that of the connection', async () => {
    const bytes = numbered(3 * MIB, 9);
    const { cid, sha256 } = await publishBytes(server.store, bytes);
    const car = `GET /ipfs/${cid}?format=car HTTP/1.0\r\n\r\n`;
    expect((await sent(car)).isReset).toBe(false);
    const { path: blob } = (await server.store.look(sha256))!;
    await chmod(blob, 0o644);
    const handle = await open(blob, 'r+');
    await handle.write(Buffer.of(255 - bytes[2 * MIB]!), 0, 1, 2 * MIB);
    await handle.close();
    const { text, isReset } = await sent(car);
    expect([text.slice(0, 15), isReset]).toEqual(['HTTP/1.1 200 OK', true]);
  });
});

describe('a request that accepts several types', () => {
  const RAW = 'application/vnd.ipld.raw';
  const CAR = 'application/vnd.ipld.car';
  const FILE = 'application/octet-stream';

  it.each([
    [`${RAW};q=0.2, ${CAR};q=0.9`, `${CAR}; version=1; order=dfs; dups=n`],
    [`${CAR};q=0.5, ${RAW}`, RAW],
    [`${CAR}, ${RAW}`, RAW],
    [`text/html, ${RAW};q=0`, FILE],
    [`text/html, ${CAR};q=0.5`, FILE],
    [`*/*, ${CAR}`, `${CAR}; version=1; order=dfs; dups=n`],
    [`*/*;q=0.1, ${CAR};version=1;order="unk";dups="y";q=0.5`, `${CAR}; version=1; order=dfs; dups=y`],
    [`${CAR};q=high`, `${CAR}; version=1; order=dfs; dups=n`],
  ])('EX5 gets the one that it wants most: %s', async (accept, type) => {
    const { status, headers } = await ask(`${server.url}/ipfs/${model.cid}`, { method: 'HEAD', headers: { accept } });
    expect([status, headers['content-type']]).toEqual([200, type]);
  });
});
