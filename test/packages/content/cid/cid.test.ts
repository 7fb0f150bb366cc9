import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { bases } from 'multiformats/basics';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { parseCid, tryParseCid } from '#content/cid/cid';
import { cidBytes, encodeCid } from '#content/cid/cid-bytes';

const V0 = 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH';
const V1 = 'bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y';
const identity = (bytes: Uint8Array) => CID.create(1, 0x55, Digest.create(0, bytes)).toString();

describe('parseCid', () => {
  it.each([
    V0,
    V1,
    V1.toUpperCase(),
    CID.parse(V1).toString(bases.base58btc),
    CID.parse(V1).toString(bases.base36),
    CID.parse(V1).toString(bases.base36upper),
    CID.parse(V1).toString(bases.base16),
    CID.parse(V1).toString(bases.base64url),
    CID.parse(V1).toString(bases.base256emoji),
    `/ipfs/${V0}`,
    `ipfs://${V1}`,
    `ipfs://ipfs/${V0}/`,
    `dweb:/ipfs/${V1}`,
    `  ${V1}\n`,
  ])('E11 normalises %s', (text) => {
    const parsed = parseCid(text);
    expect(parsed.cid).toBe(V1);
    expect(parsed.path).toEqual([]);
    expect(parsed.cid).toBe(parseCid(V0).cid);
  });

  it('keeps what was pasted beside the normal form', () => {
    expect(parseCid(`/ipfs/${V0}/a/b`)).toMatchObject({ original: V0, cid: V1, version: 0, path: ['a', 'b'] });
  });

  it('takes the names of a path literally, and decodes them only in a URL', () => {
    expect(parseCid(`${V1}/Portugal%2C+España=x/Ä`).path).toEqual(['Portugal%2C+España=x', 'Ä']);
    expect(parseCid(`ipfs://${V1}/a%20b/c%2Fd?download=1#top`).path).toEqual(['a b', 'c/d']);
    expect(() => parseCid(`ipfs://${V1}/a%zz`)).toThrow(RangeError);
  });

  it.each(Object.keys(bases).filter((name) => name !== 'identity'))(
    'reads base %s as multiformats writes it',
    (name) => {
      const base = bases[name as keyof typeof bases];
      const cid = CID.create(1, 0x55, Digest.create(0x13, randomBytes(64)));
      expect(parseCid(base.encode(cid.bytes)).cid).toBe(cid.toString());
    },
  );

  it('finds the path behind a base64 CID, which has slashes itself', () => {
    const cid = CID.create(1, 0x55, Digest.create(0x12, new Uint8Array(32).fill(0xff)));
    const text = cid.toString(bases.base64);
    expect(text).toContain('/');
    expect(parseCid(`${text}/onnx/model.onnx`)).toMatchObject({ cid: cid.toString(), path: ['onnx', 'model.onnx'] });
  });

  it('agrees with multiformats about any CID (property)', () => {
    const cids = fc.record({
      codec: fc.constantFrom(0x55, 0x70, 0x0129),
      code: fc.constantFrom(0x12, 0x13, 0x16, 0x1e, 0xb220),
      digest: fc.uint8Array({ minLength: 20, maxLength: 32 }),
    });
    fc.assert(
      fc.property(cids, ({ codec, code, digest }) => {
        const theirs = CID.create(1, codec, Digest.create(code, digest));
        const ours = parseCid(theirs.toString());
        expect(ours.cid).toBe(theirs.toString());
        expect(Buffer.from(cidBytes(ours.cid))).toEqual(Buffer.from(theirs.bytes));
        expect(ours).toMatchObject({ version: 1, codec, hashCode: code });
      }),
    );
  });

  it('E12 accepts identity CIDs of 128 bytes and refuses those of 129 (IPIP-512)', () => {
    expect(parseCid(identity(new Uint8Array(128).fill(0x42))).digest).toHaveLength(128);
    expect(() => parseCid(identity(new Uint8Array(129).fill(0x41)))).toThrow(
      expect.objectContaining({ kind: 'unsupported' }),
    );
  });

  it.each([
    [
      'an unknown hash',
      encodeCid(0x55, 0x1b, new Uint8Array(32)),
      /unsupported multihash 0x1b: known are .*sha2-256.*blake2b-160 to blake2b-512/,
    ],
    ['md5', encodeCid(0x55, 0xd5, new Uint8Array(16)), /unsupported multihash 0xd5/],
    ['an IPNS name', encodeCid(0x72, 0, new Uint8Array(36)), /libp2p-key.*known are raw, dag-pb/],
    ['dag-cbor', encodeCid(0x71, 0x12, new Uint8Array(32)), /dag-cbor/],
    ['a digest truncated below 20 bytes', encodeCid(0x55, 0x12, new Uint8Array(19)), /19 bytes: 20 to 32/],
    ['a digest longer than its hash gives', encodeCid(0x55, 0x12, new Uint8Array(33)), /33 bytes/],
    ['a CID of version 2', Uint8Array.of(2, 0x55, 0x12, 0), /version 2/],
  ])('E12 refuses %s and says what is supported', (_name, bytes, message) => {
    const text = bases.base32.encode(bytes);
    expect(() => parseCid(text)).toThrow(message);
    expect(() => parseCid(text)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
  });

  it.each([
    ['', 'has no CID'],
    ['/ipfs/', 'has no CID'],
    ['hello world', 'is not a CID'],
    ['bafybei', 'is not a CID'],
    [`${V1}a`, 'is not a CID'],
    [`z${V0}`, 'drop the first letter'],
    ['Qm1', 'is not a CID'],
    [`f${Buffer.from(cidBytes(V1)).toString('hex')}00`, '1 bytes follow the CID'],
    ['f018100551220' + '00'.repeat(32), 'is not a CID'],
    ['f0155129f00' + '00'.repeat(31), 'is not a CID'],
    [`f${Buffer.from(cidBytes(V1)).subarray(0, -1).toString('hex')}`, 'is not a CID'],
    ['b'.repeat(5000), 'at most'],
    ['/ipns/example.net', 'has no CID'],
  ])('refuses %j and shows what to write', (text, message) => {
    expect(() => parseCid(text)).toThrow(RangeError);
    expect(() => parseCid(text)).toThrow(message);
    expect(tryParseCid(text)).toBeUndefined();
  });

  it('never throws anything but its two errors (property)', () => {
    fc.assert(fc.property(fc.string(), (text) => void tryParseCid(text)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void tryParseCid(bases.base32.encode(bytes))));
  });
});
