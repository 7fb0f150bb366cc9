import { describe, expect, it } from '@jest/globals';
import { bases } from 'multiformats/basics';
import { CID as LibraryCid } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { nameOf, parseFileLocator, parseLocator, sourcesOf } from '#fetch/locator';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const V0 = 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH';
const cid = LibraryCid.parse(CID);
/** Base64 with a slash in it, and one that is longer than a file name may be. */
const SLASHED = LibraryCid.create(1, 0x55, Digest.create(0x12, new Uint8Array(32).fill(0xff)));
const LONG = LibraryCid.create(1, 0x55, Digest.create(0, new Uint8Array(128).fill(66)));

describe('what a person may type to name a file', () => {
  it.each([
    [CID, { kind: 'cid', cid: CID, path: '' }, CID],
    [`${CID}/onnx/model.onnx`, { kind: 'cid', cid: CID, path: 'onnx/model.onnx' }, 'model.onnx'],
    [`ipfs://${CID}/a`, { kind: 'cid', cid: CID, path: 'a' }, 'a'],
    [`/ipfs/${CID}`, { kind: 'cid', cid: CID, path: '' }, CID],
    [V0, { kind: 'cid', cid: V0, path: '' }, V0],
    [CID.toUpperCase(), { kind: 'cid', cid: CID.toUpperCase(), path: '' }, CID.toUpperCase()],
    [`${V0}/onnx/`, { kind: 'cid', cid: V0, path: 'onnx' }, 'onnx'],
    [`ipfs://${CID}/a%20b.bin?download=1#top`, { kind: 'cid', cid: CID, path: 'a b.bin' }, 'a b.bin'],
    [`${CID}/a%20b`, { kind: 'cid', cid: CID, path: 'a%20b' }, 'a%20b'],
    [`${cid.toString(bases.base256emoji)}/a`, { kind: 'cid', cid: cid.toString(bases.base256emoji), path: 'a' }, 'a'],
    [`${SLASHED.toString(bases.base64)}/a`, { kind: 'cid', cid: SLASHED.toString(bases.base64), path: 'a' }, 'a'],
    [
      SLASHED.toString(bases.base64),
      { kind: 'cid', cid: SLASHED.toString(bases.base64), path: '' },
      SLASHED.toString(),
    ],
    [LONG.toString(bases.base2), { kind: 'cid', cid: LONG.toString(bases.base2), path: '' }, LONG.toString()],
    ['https://host/a%20b.bin?x=1', { kind: 'url', url: 'https://host/a%20b.bin?x=1' }, 'a b.bin'],
    ['http://host/50%', { kind: 'url', url: 'http://host/50%25' }, '50%'],
    ['http://host/..%2F..%2Fetc%2Fpasswd', { kind: 'url', url: 'http://host/..%2F..%2Fetc%2Fpasswd' }, 'passwd'],
    ['http://host/%2E%2E%2F..', { kind: 'url', url: 'http://host/%2E%2E%2F..' }, 'download'],
    ['http://host/a%1b[2J%0ab%E2%80%AE', { kind: 'url', url: 'http://host/a%1b[2J%0ab%E2%80%AE' }, 'a_[2J_b_'],
    [
      `http://host/${'n'.repeat(300)}.onnx`,
      { kind: 'url', url: `http://host/${'n'.repeat(300)}.onnx` },
      `${'n'.repeat(250)}.onnx`,
    ],
    ['file:///mnt/a b.bin?x#y', { kind: 'url', url: 'file:///mnt/a%20b.bin' }, 'a b.bin'],
    ['file:///mnt/50%', { kind: 'url', url: 'file:///mnt/50%25' }, '50%'],
    [`file:///ipfs/${CID}`, { kind: 'url', url: `file:///ipfs/${CID}` }, CID],
    ['HTTP://Host', { kind: 'url', url: 'http://host/' }, 'download'],
  ])('%s', (text, locator, name) => {
    expect(parseLocator(text)).toEqual(locator);
    expect(nameOf(parseFileLocator(text))).toBe(name);
  });

  it.each([
    ['hf:org/m/onnx/model.onnx', 'model', 'org/m', 'onnx/model.onnx', 'main'],
    ['hf:org/m/config.json@v1', 'model', 'org/m', 'config.json', 'v1'],
    ['hf:datasets/org/d/a/b.txt@refs/pr/1', 'dataset', 'org/d', 'a/b.txt', 'refs/pr/1'],
    ['hf:models/org/m/x', 'model', 'org/m', 'x', 'main'],
  ])('%s', (text, repoType, repo, path, revision) => {
    const locator = parseFileLocator(text);
    expect(sourcesOf(locator)).toEqual([{ kind: 'huggingface', repo, repoType, revision, path }]);
  });

  it('names its own sources: a CID has none, a URL is a mirror', () => {
    expect(sourcesOf(parseFileLocator(CID))).toEqual([]);
    expect(sourcesOf(parseFileLocator('http://h/x'))).toEqual([{ kind: 'mirror', url: 'http://h/x' }]);
  });

  const B36 = cid.toString(bases.base36);
  const NUMERIC = LibraryCid.parse(V0).toV1().toString(bases.base36);

  it.each([
    [`https://gw.example/ipfs/${CID}`, CID, '', 'https://gw.example', CID],
    [`https://gw.example:8443/ipfs/${V0}/`, V0, '', 'https://gw.example:8443', V0],
    [`http://127.0.0.1:8080/ipfs/${CID}/onnx/a%20b.onnx`, CID, 'onnx/a b.onnx', 'http://127.0.0.1:8080', 'a b.onnx'],
    [`https://gw.example/ipfs/${CID}/50%#top`, CID, '50%', 'https://gw.example', '50%'],
    [`https://gw.example/ipfs/${CID}?filename=m%2Fa.onnx&download=true`, CID, '', 'https://gw.example', 'a.onnx'],
    [`https://${CID}.ipfs.gw.example`, CID, '', 'https://gw.example', CID],
    [`https://${B36}.ipfs.gw.example/onnx//model.onnx`, B36, 'onnx/model.onnx', 'https://gw.example', 'model.onnx'],
    [`http://${NUMERIC}.ipfs.localhost:8080/`, NUMERIC, '', 'http://localhost:8080', NUMERIC],
    [
      `https://gw.example/ipfs/${encodeURIComponent(SLASHED.toString(bases.base64))}/a`,
      ...([SLASHED.toString(bases.base64), 'a', 'https://gw.example', 'a'] as const),
    ],
  ])('%s is the CID in it, and its gateway', (text, found, path, gateway, name) => {
    const locator = parseFileLocator(text);
    const pasted = expect.objectContaining({ gateway, url: expect.stringMatching(/^https?:/) });
    expect(locator).toEqual({ kind: 'cid', cid: found, path, pasted });
    expect(nameOf(locator)).toBe(name);
    expect(sourcesOf(locator)).toEqual([]);
  });

  it.each([
    ['what is no CID', 'https://gw.example/ipfs/docs/index.html'],
    ['a CID with a letter too few', `https://gw.example/ipfs/${CID.slice(0, -1)}`],
    ['a name of IPNS', `https://gw.example/ipns/${B36}`],
    ['a version 0 CID as a host, which has no capitals', `https://${V0}.ipfs.gw.example/`],
    ['a CID elsewhere in the path', `https://host.example/mirror/ipfs/${CID}`],
    ['a CID elsewhere in the host', `https://${CID}.files.example/ipfs/x`],
    ['another form of the file', `https://gw.example/ipfs/${CID}?format=car`],
    ['a query that only its host understands', `https://gw.example/ipfs/${CID}?token=secret`],
    ['credentials', `https://user:pass@gw.example/ipfs/${CID}`],
    ['a name that hides a slash', `https://gw.example/ipfs/${CID}/a%2Fb`],
    ['a CID that hides a path', `https://gw.example/ipfs/${CID}%2Fb`],
    ['a name that is not UTF-8', `https://gw.example/ipfs/${CID}/%ff`],
    ['no CID at all', 'https://gw.example/ipfs/'],
  ])('a URL with %s is a plain URL', (_what, text) => {
    expect(parseLocator(text)).toEqual({ kind: 'url', url: new URL(text).href });
  });

  it.each([
    ['', 'names no file: write a CID, CID/path, an http(s) or file:/// URL or hf:owner/repo/path@revision'],
    ['a b', '"a b" names no file'],
    ['hf:org', 'names no file of a hub'],
    ['http://', '"http://" is no URL: write https://host/path'],
    ['file:model.onnx', 'write file:///path'],
    ['ftp://host/x', 'names no file'],
    ['model.onnx', 'names no file'],
    [`ipfs://${CID}/a%zz`, 'names no file'],
  ])('refuses "%s"', (text, sentence) => {
    expect(() => parseLocator(text)).toThrow(RangeError);
    expect(() => parseLocator(text)).toThrow(sentence);
  });

  it('E12 names the unsupported hash of a CID, and the supported ones', () => {
    const unknown = LibraryCid.create(1, 0x55, Digest.create(0x1b, new Uint8Array(32))).toString();
    expect(() => parseLocator(unknown)).toThrow(/unsupported multihash 0x1b: known are .*sha2-256/);
  });
});
