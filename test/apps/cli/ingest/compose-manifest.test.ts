import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeManifestBlock } from '#content/dag/manifest-block';
import type { Http } from '#http/pool';
import { composeManifest, type ComposedManifest } from '../../../../apps/cli/ingest/compose-manifest.ts';
import type { AddRequest } from '../../../../apps/cli/ingest/add-request.ts';
import { makeBlock, makeBlocks, makeDirectory } from '../../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { quickHttp } from '../../../packages/sources/collect.ts';

const DAG_JSON = 0x0129;
const encoder = someBytes(5000, 'encoder');
const config = Buffer.from('{"a":1}');
const folder = makeDirectory([{ name: 'encoder.onnx', dag: makeBlocks(encoder) }]);
const published = {
  ...{ schema: 'haulier.manifest/v1', name: 'whisper', type: 'stt', version: '1' },
  files: [{ path: 'encoder.onnx', sizeBytes: encoder.length, sha256: sha256Of(encoder) }],
};

const blockOf = (value: object) => encodeManifestBlock(value);

describe('composing a manifest', () => {
  let origin: Origin;
  let http: Http;

  beforeEach(async () => {
    const files = { 'config.json': config, 'encoder.onnx': encoder };
    origin = await startOrigin({ repos: { 'org/m': { commit: 'c'.repeat(40), files } }, blocks: folder.blocks });
    http = quickHttp();
  });

  afterEach(async () => {
    http.close();
    await origin.close();
  });

  function compose(from: AddRequest['origin'], more: Partial<AddRequest> = {}): Promise<ComposedManifest> {
    const request: AddRequest = {
      ...{ name: 'whisper', type: 'stt', version: undefined, origin: from, include: [], exclude: [], minBytes: {} },
      ...{ gateways: [origin.url], allowPrivate: true, allowAddresses: [], ca: undefined },
      ...more,
    };
    const silent = { onStep: () => undefined, onProgress: () => undefined };
    return composeManifest(request, { http, signal: new AbortController().signal, ...silent });
  }

  const hub = (ipfs?: string): AddRequest['origin'] => ({
    ...{ kind: 'hub', repo: 'org/m', repoType: 'model', revision: 'main', endpoint: origin.url },
    ...{ token: undefined, ipfs },
  });

  it('VE7 completes a recipe: sizes and digests from the hub, at a commit, with the expected lengths', async () => {
    const { manifest, block } = await compose(hub(), { minBytes: { 'encoder.onnx': 5000 } });
    expect(manifest).toMatchObject({ name: 'whisper', type: 'stt', version: 'c'.repeat(40) });
    expect(manifest.files.every(({ sha256 }) => sha256 !== undefined)).toBe(true);
    expect(block.cid).toBe(encodeManifestBlock(manifest).cid);
    await expect(compose(hub(), { minBytes: { 'encoder.onnx': 5001 } })).rejects.toThrow('must have at least 5001');
  });

  it('adds the CIDs of an IPFS folder to the files of a hub', async () => {
    const { manifest, withoutCid } = await compose(hub(folder.cid), { version: '2' });
    expect(manifest).toMatchObject({ version: '2', cid: folder.cid });
    expect(manifest.files.map(({ cid }) => cid)).toEqual([undefined, makeBlocks(encoder).cid]);
    expect(withoutCid).toEqual(['config.json']);
  });

  it('CH2 takes a manifest by its CID as it is', async () => {
    const { bytes, cid } = blockOf(published);
    origin.serve({ blocks: new Map([[cid, bytes]]) });
    const { manifest, block } = await compose({ kind: 'manifest', cid });
    expect(manifest).toEqual({ ...published, cid });
    expect(block.cid).toBe(cid);
    await expect(compose({ kind: 'manifest', cid }, { name: 'other' })).rejects.toThrow(
      'is a manifest of the model "whisper": add it under that name, not as "other"',
    );
  });

  it('CH2 refuses a manifest block that a gateway forged, that is not strict, or that breaks the contract', async () => {
    const { bytes, cid } = blockOf(published);
    const forged = Buffer.from(Buffer.from(bytes).toString().replace('"1"', '"2"'));
    origin.serve({ blocks: new Map([[cid, forged]]) });
    await expect(compose({ kind: 'manifest', cid })).rejects.toThrow('other bytes');

    const twice = makeBlock(DAG_JSON, Buffer.from('{"name":"a","name":"b"}'));
    const rules = blockOf({ ...published, files: [{ path: '../x', sizeBytes: -1 }], schema: 'haulier.manifest/v9' });
    origin.serve({ blocks: new Map([...twice.blocks, [rules.cid, rules.bytes] as const]) });
    await expect(compose({ kind: 'manifest', cid: twice.cid })).rejects.toThrow('not strict dag-json');
    const refused = compose({ kind: 'manifest', cid: rules.cid });
    for (const field of ['schema:', 'files.0.path:', 'files.0.sizeBytes:', 'files.0.sha256:'])
      await expect(refused).rejects.toThrow(field);
  });
});
