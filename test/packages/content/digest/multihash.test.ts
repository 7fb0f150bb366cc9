import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { blockMatches } from '#content/cid/cid-bytes';
import { hashFunction, loadHash } from '#content/digest/multihash';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('hashes', () => {
  it('E12 says that BLAKE must be loaded before it is used', () => {
    expect(() => hashFunction(0x1e)).toThrow(/blake3 is not loaded in this thread/);
  });

  it.each([
    [0x12, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [0x16, 'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a'],
    [0x20, '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b'],
    [0x1013, 'd14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f'],
    [0x1014, '6ed0dd02806fa89e25de060c19d3ac86cabb87d6a0ddd05c333b84f4'],
    [0x1015, 'c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a'],
    [0x17, '6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7'],
    [0x1e, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    [0xb214, '3345524abf6bbe1809449224b5972c41790b6cf2'],
    [
      0xb240,
      '786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce',
    ],
    [0xb220, '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8'],
  ])('E12 0x%s of nothing is the published value', async (code, expected) => {
    const { hash, digestBytes } = await loadHash(code);
    expect(hex(hash(new Uint8Array(0)))).toBe(expected);
    expect(digestBytes).toBe(expected.length / 2);
  });

  it.each([0x12, 0x13, 0x14, 0x15, 0x1e, 0xb220])(
    'E12 0x%s run side by side without mixing (property)',
    async (code) => {
      const { hash, create } = await loadHash(code);
      const inputs = fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 200 })), { maxLength: 10 });
      fc.assert(
        fc.property(inputs, (pieces) => {
          const running = [create(), create()];
          const whole: Uint8Array[][] = [[], []];
          for (const [second, piece] of pieces) {
            running[Number(second)]!.update(piece);
            whole[Number(second)]!.push(piece);
            hash(piece);
          }
          running.forEach((one, i) => expect(hex(one.digest())).toBe(hex(hash(Buffer.concat(whole[i]!)))));
        }),
        { numRuns: 30 },
      );
    },
  );

  it('refuses an unknown code and names the known ones', async () => {
    await expect(loadHash(0x1b)).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('blake3'),
    });
  });

  it('matches a truncated digest by its beginning', () => {
    const block = Buffer.from('abc');
    const digest = hashFunction(0x12).hash(block).subarray(0, 20);
    expect(blockMatches({ version: 1, codec: 0x55, hashCode: 0x12, digest }, block)).toBe(true);
    expect(blockMatches({ version: 1, codec: 0x55, hashCode: 0x12, digest }, Buffer.from('abd'))).toBe(false);
  });
});
