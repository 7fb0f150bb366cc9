import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DownloadDetail } from '#contracts/http/downloads';
import { downloadCommand, type DownloadCommandOptions } from '../../../../../apps/cli/commands/downloads/download.ts';
import { summaryOf } from '../../../../../apps/cli/downloads/await-downloads.ts';
import { cellsOf } from '../../../../../apps/cli/terminal/cells.ts';
import { gitBlobSha1, sha256Of, someBytes } from '../../../../helpers/origin/origin-content.ts';
import { startOrigin } from '../../../../helpers/origin/origin.ts';

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

  const ask = async (
    what: string,
    options: Partial<DownloadCommandOptions> = {},
    more: NodeJS.ProcessEnv = {},
  ): Promise<unknown> => {
    const { port } = server.address() as AddressInfo;
    const write = (): boolean => true;
    await downloadCommand(
      what,
      { progress: 'none', maxDisconnect: '0s', ...options },
      {
        ...{ env: { HAULIER_URL: `http://127.0.0.1:${port}`, ...more }, distDir: '' },
        signal: new AbortController().signal,
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

  it.each<[string, string, Partial<DownloadCommandOptions>, string]>([
    ['a digest of a wrong length', 'https://h/x', { sha256: 'ab' }, '--sha256 is "ab": write 64 hexadecimal digits'],
    [
      'a size that is no whole number',
      'https://h/x',
      { size: '1.5' },
      '--size is "1.5": write a whole number of at least 0',
    ],
    [
      'a timeout that is no duration',
      'https://h/x',
      { timeout: 'soon' },
      '--timeout is "soon": write a duration such as',
    ],
    [
      'a timeout above the limit of timers',
      'https://h/x',
      { timeout: '9999d' },
      '--timeout is "9999d": write a duration from',
    ],
    [
      'a digest of a model',
      'whisper-base',
      { sha256: 'ab'.repeat(32) },
      '--sha256 is for a single file, and "whisper-base"',
    ],
  ])('K24 refuses %s before any request', async (_what, typed, options, sentence) => {
    await expect(ask(typed, options)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(sentence),
    });
    expect(bodies).toEqual([]);
  });

  describe('for a file of a hub', () => {
    const large = someBytes(200_000, 'large');
    const small = Buffer.from('{"a":1}');
    let hub: Awaited<ReturnType<typeof startOrigin>>;

    beforeEach(async () => {
      const files = { 'onnx/model.onnx': large, 'config.json': small };
      hub = await startOrigin({ repos: { 'org/m': { commit: 'c'.repeat(40), files } } });
    });

    afterEach(async () => {
      await hub.close();
    });

    it.each([
      ['SHA-256 of a large one', 'onnx/model.onnx', { sha256: sha256Of(large), sizeBytes: large.length }],
      ['git name of a small one', 'config.json', { digests: { git: gitBlobSha1(small) }, sizeBytes: small.length }],
    ])('is the length and the %s, as the hub lists them', async (_what, path, proof) => {
      const body = await ask(`hf:org/m/${path}@main`, {}, { HF_ENDPOINT: hub.url });
      expect(body).toMatchObject({ files: [{ ...proof, sources: [{ kind: 'huggingface', repo: 'org/m', path }] }] });
    });

    it('is the digest that was typed, without any request to the hub', async () => {
      const sha256 = 'ab'.repeat(32);
      expect(await ask('hf:org/m/config.json', { sha256 }, { HF_ENDPOINT: hub.url })).toMatchObject({
        files: [{ sha256 }],
      });
      expect(hub.requests).toEqual([]);
    });

    it('is the same for the URL of its page on the configured hub', async () => {
      const body = await ask(`${hub.url}/org/m/resolve/main/onnx/model.onnx`, {}, { HF_ENDPOINT: hub.url });
      expect(body).toMatchObject({ files: [{ sha256: sha256Of(large), sources: [{ kind: 'huggingface' }] }] });
    });
  });
});

describe('the summary of haulier download --wait', () => {
  const ended = {
    ...{ file: 'onnx/decoder_model_merged.onnx', status: 'success', bytes: 300_000_000, sha256: 'ab'.repeat(32) },
    ...{ source: 'gateway.example/ipfs', path: `/home/user/.haulier/models/whisper/${'deep/'.repeat(20)}decoder.onnx` },
  } as DownloadDetail;

  it('fits the width of the terminal, and is complete in a file', () => {
    for (const line of summaryOf([ended], 100).split('\n')) expect(cellsOf(line)).toBeLessThanOrEqual(100);
    expect(summaryOf([ended], undefined)).toContain(ended.sha256);
    expect(summaryOf([ended], undefined)).toContain(ended.path);
  });
});
