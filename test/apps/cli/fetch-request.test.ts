import { describe, expect, it } from '@jest/globals';
import type { DownloadOptions } from '#chain/download';
import { DIGEST_ALGORITHMS } from '#core/file-spec';
import { requestOf, type FetchOptions } from '../../../apps/cli/fetch/fetch-request.ts';

const URL_OF_FILE = 'https://host.example/dir/model.bin';
/** What commander hands over when nothing but the file was typed. */
const DEFAULTS: FetchOptions = { stallTimeout: '30s', strategy: 'ordered', progress: 'none' };

const request = (typed: Partial<FetchOptions>, what = URL_OF_FILE, env: NodeJS.ProcessEnv = {}): DownloadOptions =>
  requestOf(what, { ...DEFAULTS, ...typed }, env);

const CHARS = { sha256: 64, sha512: 128, sha1: 40, md5: 32, git: 40 } as const;

describe('digests of haulier fetch', () => {
  it.each(DIGEST_ALGORITHMS)('EX3 --%s is what the file must hash to, in lower or upper case', (name) => {
    const digest = 'a1'.repeat(CHARS[name] / 2);
    expect(request({ [name]: digest }).digests).toEqual({ [name]: digest });
    expect(request({ [name]: digest.toUpperCase() }).digests).toEqual({ [name]: digest });
  });

  it.each(DIGEST_ALGORITHMS)('EX3 --%s of another length, or not hexadecimal, is refused as it was typed', (name) => {
    const chars = CHARS[name];
    for (const wrong of ['', 'A1'.repeat(chars / 2 - 1), 'A1'.repeat(chars / 2 + 1), 'G'.repeat(chars)]) {
      const refusal = new RangeError(`--${name} is "${wrong}": write ${chars} hexadecimal digits`);
      expect(() => request({ [name]: wrong })).toThrow(refusal);
    }
  });

  it('EX3 all of them may be given at once', () => {
    const all = Object.fromEntries(DIGEST_ALGORITHMS.map((name) => [name, '0f'.repeat(CHARS[name] / 2)]));
    expect(request(all).digests).toEqual(all);
  });
});
