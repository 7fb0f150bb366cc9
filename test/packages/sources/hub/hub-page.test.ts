import { describe, expect, it } from '@jest/globals';
import { hubPage } from '#sources/hub/hub-page';

const HUB = 'https://huggingface.co';

describe('a URL of the configured hub', () => {
  it.each([
    [`${HUB}/org/m/blob/main/a.bin`, 'model', 'org/m', 'main', 'a.bin'],
    [
      `${HUB}/org/m/resolve/refs%2Fpr%2F1/a%20b/%40c%3F.bin?download=true`,
      'model',
      'org/m',
      'refs/pr/1',
      'a b/@c?.bin',
    ],
    [`${HUB}/org/m/resolve/refs/pr/12/a.bin`, 'model', 'org/m', 'refs/pr/12', 'a.bin'],
    [`${HUB}/org/m/blob/refs/convert/parquet/x/0.parquet`, 'model', 'org/m', 'refs/convert/parquet', 'x/0.parquet'],
    [`${HUB}/datasets/org/d/resolve/v1.0/data/x.csv`, 'dataset', 'org/d', 'v1.0', 'data/x.csv'],
    [`${HUB}/spaces/org/s/raw/main/app.py`, 'space', 'org/s', 'main', 'app.py'],
    [`${HUB}/gpt2/resolve/main/config.json`, 'model', 'gpt2', 'main', 'config.json'],
    [`${HUB}/datasets/squad/blob/main/raw/main.csv`, 'dataset', 'squad', 'main', 'raw/main.csv'],
    [`${HUB}/org/blob/resolve/main/a.bin`, 'model', 'org/blob', 'main', 'a.bin'],
    [`http://huggingface.co/org/m/blob/main/a.bin`, 'model', 'org/m', 'main', 'a.bin'],
    [`https://hf.co/org/m/blob/main/a.bin#L1`, 'model', 'org/m', 'main', 'a.bin'],
  ])('F34 %s names a file', (url, repoType, repo, revision, path) => {
    expect(hubPage(new URL(url), HUB)).toEqual({ repoType, repo, revision, path, isFolder: false });
  });

  it.each([
    [`${HUB}/org/m/tree/main`, ''],
    [`${HUB}/org/m/tree/main/onnx/`, 'onnx'],
  ])('%s names a folder', (url, path) => {
    expect(hubPage(new URL(url), HUB)).toMatchObject({ repo: 'org/m', revision: 'main', path, isFolder: true });
  });

  it('is below the path of an endpoint that has one', () => {
    const url = new URL('http://mirror.lan:8080/hf/org/m/blob/main/a.bin');
    expect(hubPage(url, 'http://mirror.lan:8080/hf/')).toMatchObject({ repo: 'org/m', path: 'a.bin' });
    expect(hubPage(url, 'http://mirror.lan:8080')).toBeUndefined();
  });

  it.each([
    ['another host', 'https://other.example/org/m/blob/main/a.bin'],
    ['another port', `${HUB}:8443/org/m/blob/main/a.bin`],
    ['credentials', 'https://user:pass@huggingface.co/org/m/blob/main/a.bin'],
    ['a query that its host alone understands', `${HUB}/org/m/resolve/main/a.bin?token=x`],
    ['another page', `${HUB}/org/m/commits/main/a.bin`],
    ['a page of no file', `${HUB}/org/m`],
    ['no path', `${HUB}/org/m/blob/main`],
    ['a name that leads elsewhere', `${HUB}/org/%2e%2e%2f/blob/main/a.bin`],
    ['a path that leads elsewhere', `${HUB}/org/m/blob/main/a%2F..%2F..%2Fb`],
    ['what is not UTF-8', `${HUB}/org/m/blob/main/%ff`],
  ])('with %s is a plain URL', (_what, url) => {
    expect(hubPage(new URL(url), HUB)).toBeUndefined();
  });
});
