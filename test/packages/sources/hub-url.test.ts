import { describe, expect, it } from '@jest/globals';
import { apiUrl, resolveUrl } from '#sources/hub-url';

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
    ['../../x', '..%2F..%2Fx'],
  ])('K19 keeps the revision %p in one segment', (revision, encoded) => {
    const url = resolveUrl({ ...file, revision });
    expect(url).toBe(`https://hub.example/acme/sample/resolve/${encoded}/onnx/a%20b.onnx`);
    expect(new URL(url).href).toBe(url);
    expect(apiUrl({ ...file, repoType: 'dataset', revision }, 'revision')).toBe(
      `https://hub.example/api/datasets/acme/sample/revision/${encoded}`,
    );
  });
});
