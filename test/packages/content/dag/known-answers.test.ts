import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { GIB, MIB } from '#core/units';
import { parseCid } from '#content/cid/cid';
import { createDagBuilder, type DagProfile } from '#content/dag/dag-builder';

/** The keystream that kubo's tests use as file content: ChaCha20 under sha256(seed), zero nonce. */
function* keystream(seed: string, bytes: number): Generator<Uint8Array> {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  for (let left = bytes; left > 0; left -= MIB) yield cipher.update(zeros.subarray(0, Math.min(left, MIB)));
}

function cidOf(profile: DagProfile, seed: string, bytes: number): { cid: string; profileCid: string } {
  const builder = createDagBuilder(profile);
  for (const piece of keystream(seed, bytes)) builder.update(piece);
  return builder.finish();
}

describe('known answers of an independent implementation', () => {
  it.each([
    [262144, 'QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE'],
    [262145, 'QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ'],
  ])('names %d bytes of unixfs-v0-2015 as kubo does', (bytes, expected) => {
    const { cid, profileCid } = cidOf('unixfs-v0-2015', 'chunk-v0-seed', bytes);
    expect(profileCid).toBe(expected);
    expect(parseCid(expected).cid).toBe(cid);
  });

  it.each([
    [1048576, 'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta'],
    [1048577, 'bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64'],
  ])('names %d bytes of unixfs-v1-2025 as kubo does', (bytes, expected) => {
    expect(cidOf('unixfs-v1-2025', 'chunk-v1-seed', bytes).cid).toBe(expected);
  });

  it('names 1 GiB of unixfs-v1-2025 as kubo does', () => {
    const { cid } = cidOf('unixfs-v1-2025', 'v1-2025-seed', GIB);
    expect(cid).toBe('bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm');
  });

  it.each([
    ['unixfs-v1-2025', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
    ['unixfs-v0-2015', 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH'],
  ] as const)('names the empty file of %s', (profile, expected) => {
    expect(createDagBuilder(profile).finish().profileCid).toBe(expected);
  });
});
