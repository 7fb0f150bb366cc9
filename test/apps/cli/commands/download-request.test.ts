import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { downloadCommand } from '../../../../apps/cli/commands/download.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

describe('what haulier download asks the API for', () => {
  let server: Server;
  let bodies: unknown[];

  beforeEach(async () => {
    bodies = [];
    server = createServer((request, response) => {
      void json(request).then((body) => {
        bodies.push(body);
        const answer = { request: { model: null, version: null, hosts: [], created: 0, existing: 0 }, downloads: [] };
        response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  const ask = async (what: string): Promise<unknown> => {
    const { port } = server.address() as AddressInfo;
    const write = (): boolean => true;
    await downloadCommand(
      what,
      { progress: 'none' },
      {
        ...{ env: { HAULIER_URL: `http://127.0.0.1:${port}` }, distDir: '', signal: new AbortController().signal },
        ...{ stdin: Readable.from([]), stdout: { write }, stderr: { write } },
      },
    );
    return bodies.at(-1);
  };

  it.each([
    ['a model', 'whisper-base@1', { model: 'whisper-base', version: '1' }],
    ['a CID', CID, { files: [{ path: CID, cid: CID, sources: [] }] }],
    [
      'a gateway URL: its CID, and the URL as a source',
      `https://gw.example/ipfs/${CID}?filename=m.onnx`,
      {
        files: [
          {
            ...{ path: 'm.onnx', cid: CID },
            sources: [{ kind: 'mirror', url: `https://gw.example/ipfs/${CID}?filename=m.onnx` }],
          },
        ],
      },
    ],
    [
      'a gateway URL of a file in a folder: the URL alone, for the CID is not that of the file',
      `https://gw.example/ipfs/${CID}/m.onnx`,
      { files: [{ path: 'm.onnx', sources: [{ kind: 'mirror', url: `https://gw.example/ipfs/${CID}/m.onnx` }] }] },
    ],
    ['a URL', 'https://h/x', { files: [{ path: 'x', sources: [{ kind: 'mirror', url: 'https://h/x' }] }] }],
  ])('is %s', async (_what, typed, body) => {
    expect(await ask(typed)).toEqual(body);
  });

  it('refuses a path below a CID, which no worker resolves, before any request', async () => {
    await expect(ask(`${CID}/m.onnx`)).rejects.toThrow('is a path inside a folder: add it as a model');
    expect(bodies).toEqual([]);
  });
});
