import { describe, expect, it } from '@jest/globals';
import { nameOf, parseLocator, sourcesOf } from '#chain/locator';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

describe('what a person may type to name a file', () => {
  it.each([
    [CID, { kind: 'cid', cid: CID, path: '' }, CID],
    [`${CID}/onnx/model.onnx`, { kind: 'cid', cid: CID, path: 'onnx/model.onnx' }, 'model.onnx'],
    [`ipfs://${CID}/a`, { kind: 'cid', cid: CID, path: 'a' }, 'a'],
    [`/ipfs/${CID}`, { kind: 'cid', cid: CID, path: '' }, CID],
    ['https://host/a%20b.bin?x=1', { kind: 'url', url: 'https://host/a%20b.bin?x=1' }, 'a b.bin'],
    ['http://host/50%', { kind: 'url', url: 'http://host/50%' }, '50%'],
    ['http://host/..%2F..%2Fetc%2Fpasswd', { kind: 'url', url: 'http://host/..%2F..%2Fetc%2Fpasswd' }, 'passwd'],
    ['http://host/%2E%2E%2F..', { kind: 'url', url: 'http://host/%2E%2E%2F..' }, 'download'],
    ['HTTP://Host', { kind: 'url', url: 'http://host/' }, 'download'],
  ])('%s', (text, locator, name) => {
    expect(parseLocator(text)).toEqual(locator);
    expect(nameOf(parseLocator(text))).toBe(name);
  });

  it.each([
    ['hf:org/m/onnx/model.onnx', 'model', 'org/m', 'onnx/model.onnx', 'main'],
    ['hf:org/m/config.json@v1', 'model', 'org/m', 'config.json', 'v1'],
    ['hf:datasets/org/d/a/b.txt@refs/pr/1', 'dataset', 'org/d', 'a/b.txt', 'refs/pr/1'],
    ['hf:models/org/m/x', 'model', 'org/m', 'x', 'main'],
  ])('%s', (text, repoType, repo, path, revision) => {
    const locator = parseLocator(text);
    expect(sourcesOf(locator)).toEqual([{ kind: 'huggingface', repo, repoType, revision, path }]);
  });

  it('names its own sources: a CID has none, a URL is a mirror', () => {
    expect(sourcesOf(parseLocator(CID))).toEqual([]);
    expect(sourcesOf(parseLocator('http://h/x'))).toEqual([{ kind: 'mirror', url: 'http://h/x' }]);
  });

  it.each([
    ['', 'names no file: write a CID, CID/path, an http(s) URL or hf:owner/repo/path@revision'],
    ['a b', '"a b" names no file'],
    ['hf:org/m', 'write hf:owner/repo/path@revision'],
    ['hf:org', 'names no file of a hub'],
    ['http://', '"http://" is no URL: write https://host/path'],
    ['ftp://host/x', 'names no file'],
  ])('refuses "%s"', (text, sentence) => {
    expect(() => parseLocator(text)).toThrow(RangeError);
    expect(() => parseLocator(text)).toThrow(sentence);
  });
});
