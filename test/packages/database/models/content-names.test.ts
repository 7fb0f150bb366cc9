import { describe, expect, it } from '@jest/globals';
import { Manifest } from '#contracts/manifest';
import { contentKeyOf } from '#database/downloads/content-key';
import { manifestDigest } from '#database/models/model-queries';
import { CID, file, SHA256 } from '../fixtures.ts';

describe('contentKeyOf', () => {
  it('takes the strongest digest, then the CID', () => {
    expect(contentKeyOf(file('a', { digests: { md5: 'ab', sha256: SHA256 }, cid: CID }))).toBe(`sha256:${SHA256}`);
    expect(contentKeyOf(file('a', { digests: { md5: 'ab', sha1: 'cd' }, cid: CID }))).toBe('sha1:cd');
    expect(contentKeyOf(file('a', { digests: {}, cid: CID }))).toBe(`cid:${CID}`);
  });

  it('names unproven content by its sources', () => {
    const unproven = (path: string) => contentKeyOf(file(path, { digests: {}, allowUnverified: true }));
    expect(unproven('a')).toMatch(/^unproven:[0-9a-f]{64}$/);
    expect(unproven('a')).toBe(unproven('a'));
    expect(unproven('a')).not.toBe(unproven('b'));
  });
});

describe('manifestDigest', () => {
  const parse = (extra: object): Manifest =>
    Manifest.parse({ name: 'm', version: '1', files: [{ path: 'a', sha256: SHA256 }], ...extra });

  it('does not depend on the order of keys or on fields left out', () => {
    const { files, ...head } = parse({});
    expect(manifestDigest({ files, ...head, cid: undefined })).toBe(manifestDigest(parse({})));
  });

  it('changes with the content', () => {
    expect(manifestDigest(parse({ type: 'stt' }))).not.toBe(manifestDigest(parse({})));
    expect(manifestDigest(parse({}))).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});
