import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { decodeManifestBlock, encodeManifestBlock, fetchManifest } from '#content/dag/manifest-block';
import { Manifest } from '#contracts/manifest';
import { fromBlocks, makeBlock } from '../../../helpers/dag/dag.ts';

const MANIFEST = {
  schema: 'haulier.manifest/v1',
  name: 'whisper-base',
  version: '1',
  files: [{ path: 'b', sizeBytes: 5 }],
};
const never = new AbortController().signal;

/** Whole numbers as dag-json has them; no key that would make a link of an object. */
const values = fc
  .jsonValue({ maxDepth: 5 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown) // there is no -0 in it
  .filter((value) => {
    const text = JSON.stringify(value);
    return !text.includes('"/"') && !/\d{16,}|\de[+-]?\d|-0[^.\d]|-0$/.test(text);
  });

/** What decodes, or undefined where it is refused in the one way it may be. */
function decoded(bytes: Uint8Array): unknown {
  try {
    return { value: decodeManifestBlock(bytes) };
  } catch (error) {
    expect(error).toMatchObject({ name: 'VerifyError', kind: 'wrong-format' });
    return undefined;
  }
}

describe('a manifest as dag-json', () => {
  it('CH2 comes back as it was, in the same bytes however often (property)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values), (manifest) => {
        fc.pre(!Object.keys(manifest).includes('/'));
        const { bytes, cid } = encodeManifestBlock(manifest);
        const again = decodeManifestBlock(bytes) as object;
        expect(again).toEqual({ ...manifest });
        expect(encodeManifestBlock(again).cid).toBe(cid);
      }),
      { numRuns: 300 },
    );
  });

  it('CH2 is refused in one way whatever was done to its bytes, and the contract never breaks on what is read (property)', () => {
    const whole = Buffer.from(encodeManifestBlock({ ...MANIFEST, extra: [1, 2.5, null, true, { deep: ['x'] }] }).bytes);
    const scraps = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '\\u0000',
        '-',
        '1e999',
        '9007199254740993',
        '{"/":"x"}',
      ),
      fc.constantFrom(
        '{"/":{"bytes":"AA"}}',
        '{"/":{"bytes":1}}',
        '"__proto__":{},',
        '\u{feff}',
        ' ',
        '\n',
        '/',
        'NaN',
      ),
      fc.string({ maxLength: 5 }),
    );
    const edits = fc.array(fc.tuple(fc.nat(whole.length), fc.nat(8), scraps), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, fc.boolean(), (changes, cuts) => {
        let bytes = whole;
        for (const [at, gone, scrap] of changes)
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(scrap), bytes.subarray(at + gone)]);
        if (cuts) bytes = bytes.subarray(0, changes[0]![0]);
        const read = decoded(bytes);
        if (read !== undefined) expect(() => Manifest.safeParse((read as { value: unknown }).value)).not.toThrow();
      }),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => void decoded(garbage)));
  });

  it('CH2 is refused when any of its keys is written twice (property)', () => {
    fc.assert(
      fc.property(fc.string(), values, values, fc.array(fc.constantFrom('[', '{"x":')), (key, a, b, around) => {
        fc.pre(key !== '/');
        const name = JSON.stringify(key);
        const twice = `{${name}:${JSON.stringify(a)},${name}:${JSON.stringify(b)}}`;
        const close = around.map((open) => (open === '[' ? ']' : '}')).reverse();
        expect(decoded(Buffer.from([...around, twice, ...close].join('')))).toBeUndefined();
      }),
    );
  });

  it('CH2 is refused when it is nested without end', () => {
    for (const open of ['[', '{"a":']) expect(decoded(Buffer.from(open.repeat(300_000)))).toBeUndefined();
    expect(decoded(Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)))).toBeUndefined();
  });

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
    ['a letter whose last byte is missing', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
    ['a letter in more bytes than it needs', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['half of a pair', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a letter beyond the last one', Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22])],
    ['a letter that is cut in two', Buffer.from([0x22, 0xc3, 0x28, 0x22])],
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
