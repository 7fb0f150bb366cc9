import { describe, expect, it } from '@jest/globals';
import { hubApiUrl, resolveUrl } from '#sources/hub/hub-url';

const file = {
  endpoint: 'https://hub.example/',
  repo: 'acme/sample',
  repoType: 'model',
  path: 'onnx/a b.onnx',
} as const;

describe('the URL of a file on a hub', () => {
  it.each([
    ['refs/pr/1', 'refs%2Fpr%2F1'],
    ['release 1', 'release%201'],
    ['a#b?c', 'a%23b%3Fc'],
  ])('K19 keeps the revision %p in one segment', (revision, encoded) => {
    const url = resolveUrl({ ...file, revision });
    expect(url).toBe(`https://hub.example/acme/sample/resolve/${encoded}/onnx/a%20b.onnx`);
    expect(new URL(url).href).toBe(url);
    expect(hubApiUrl({ ...file, repoType: 'dataset', revision }, 'revision')).toBe(
      `https://hub.example/api/datasets/acme/sample/revision/${encoded}`,
    );
  });

  it.each([
    ['repository', { repo: '../..' }],
    ['repository', { repo: 'acme/..' }],
    ['repository', { repo: 'acme/sample/x' }],
    ['repository', { repo: 'acme%2Fx' }],
    ['repository', { repo: '' }],
    ['revision', { revision: '..' }],
    ['revision', { revision: '../../x' }],
    ['revision', { revision: '%2e%2e%2fx' }],
    ['revision', { revision: '' }],
    ['revision', { revision: 'a\\b' }],
    ['revision', { revision: 'a\nb' }],
    ['path', { path: '../../../api/whoami' }],
    ['path', { path: 'a/./b' }],
    ['path', { path: 'a//b' }],
  ])('F32 a %s that would lead elsewhere with the token makes no URL: %p', (what, part) => {
    const hostile = { ...file, revision: 'main', ...part };
    expect(() => resolveUrl(hostile)).toThrow(`the ${what} ${JSON.stringify(Object.values(part)[0])}`);
    if (what !== 'path') expect(() => hubApiUrl(hostile, 'tree')).toThrow(RangeError);
  });
});
