import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { decodeManifestBlock, encodeManifestBlock, fetchManifest } from '#content/manifest-block';
import { fromBlocks, makeBlock } from '../../helpers/dag.ts';

const MANIFEST = {
  schema: 'haulier.manifest/v1',
  name: 'whisper-base',
  version: '1',
  files: [{ path: 'b', sizeBytes: 5 }],
};
const never = new AbortController().signal;

describe('a manifest as dag-json', () => {
  it('CH2 is the same block whatever the order of its fields, and leaves out what is undefined', () => {
    const { bytes, cid } = encodeManifestBlock(MANIFEST);
    const other = {
      files: [{ sizeBytes: 5, path: 'b', sha256: undefined }],
      version: '1',
      name: 'whisper-base',
      schema: MANIFEST.schema,
    };
    expect(encodeManifestBlock(other)).toEqual({ bytes, cid });
    const digest = Digest.create(0x12, createHash('sha256').update(bytes).digest());
    expect(cid).toBe(CID.create(1, 0x0129, digest).toString());
    expect(decodeManifestBlock(bytes)).toEqual(MANIFEST);
  });

  it('CH2 is fetched by CID and verified by it', async () => {
    const { bytes, cid } = encodeManifestBlock(MANIFEST);
    expect(await fetchManifest(`ipfs://${cid}`, fromBlocks(new Map([[cid, bytes]])), never)).toEqual(MANIFEST);
    const forged = Buffer.from(Buffer.from(bytes).toString().replace('"1"', '"2"'));
    await expect(fetchManifest(cid, async () => forged, never)).rejects.toMatchObject({ kind: 'leaf-unobtainable' });
  });

  it('CH2 gives links as text', () => {
    const link = makeBlock(0x55, Buffer.from('x')).cid;
    expect(decodeManifestBlock(Buffer.from(`{"files":[{"cid":{"/":"${link}"}}]}`))).toEqual({ files: [{ cid: link }] });
  });

  it.each([
    ['a repeated key', '{"a":1,"a":2}'],
    ['a repeated key further down', '{"a":[{"b":1,"b":1}]}'],
    ['something after the value', '{"a":1}x'],
    ['no JSON', '<!doctype html>'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['a broken link', '{"a":{"/":"bafy"}}'],
    ['nothing', ''],
  ])('CH2 refuses %s', (_name, text) => {
    expect(() => decodeManifestBlock(Buffer.from(text))).toThrow(expect.objectContaining({ kind: 'wrong-format' }));
  });

  it('CH2 refuses a block over 2 MiB when it is made and when it is read', () => {
    const huge = { text: 'x'.repeat(2 * 1024 * 1024) };
    expect(() => encodeManifestBlock(huge)).toThrow(/split/);
    expect(() => decodeManifestBlock(Buffer.from(JSON.stringify(huge)))).toThrow(/at most/);
  });

  it('CH2 refuses a CID of another codec', async () => {
    const { cid } = makeBlock(0x55, Buffer.from('x'));
    await expect(fetchManifest(cid, fromBlocks(new Map()), never)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('keeps a field named __proto__ a field', () => {
    const decoded = decodeManifestBlock(Buffer.from('{"__proto__":{"polluted":true}}')) as object;
    expect(Object.hasOwn(decoded, '__proto__')).toBe(true);
    expect('polluted' in {}).toBe(false);
  });
});
