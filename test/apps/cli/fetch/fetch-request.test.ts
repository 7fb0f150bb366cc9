import { describe, expect, it } from '@jest/globals';
import type { DownloadOptions } from '#fetch/download';
import { DIGEST_ALGORITHMS } from '#core/file-spec';
import { requestOf, type FetchOptions } from '../../../../apps/cli/fetch/fetch-request.ts';

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

describe('options of haulier fetch', () => {
  const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';

  it('without any, the file comes here under its own name, with the defaults of the library', () => {
    expect(request({})).toEqual({
      ...{
        from: URL_OF_FILE,
        to: 'model.bin',
        nameByServer: true,
        mirrors: [],
        gateways: [],
        allowAddresses: [],
        digests: {},
      },
      ...{ stallTimeoutMs: 30_000, strategy: 'ordered', proxy: {}, hfEndpoint: 'https://huggingface.co' },
    });
  });

  it.each<[string, Partial<FetchOptions>, Partial<DownloadOptions>]>([
    ['--size 0', { size: '0' }, { sizeBytes: 0 }],
    ['--size 5368709120', { size: '5368709120' }, { sizeBytes: 5_368_709_120 }],
    ['--connections 1', { connections: '1' }, { connections: 1 }],
    ['--limit-rate 50M', { limitRate: '50M' }, { limitBytesPerSecond: 50 * 2 ** 20 }],
    ['--limit-rate 50MB', { limitRate: '50MB' }, { limitBytesPerSecond: 50_000_000 }],
    ['--stall-timeout 500ms', { stallTimeout: '500ms' }, { stallTimeoutMs: 500 }],
    ['--stall-timeout 5m', { stallTimeout: '5m' }, { stallTimeoutMs: 300_000 }],
    ['--strategy parallel', { strategy: 'parallel' }, { strategy: 'parallel' }],
    ['--allow-private', { allowPrivate: true }, { allowPrivate: true }],
    ['--allow-downgrade', { allowDowngrade: true, sha256: 'ab'.repeat(32) }, { allowDowngrade: true }],
    ['--strict', { strict: true }, { strict: true }],
    ['--mirror', { mirror: ['http://a/50%', 'http://b/'] }, { mirrors: ['http://a/50%', 'http://b/'] }],
    ['--gateway', { gateway: ['http://a', 'b.example'] }, { gateways: ['http://a', 'b.example'] }],
    ['--hf-endpoint', { hfEndpoint: 'http://hub' }, { hfEndpoint: 'http://hub' }],
    ['-o', { output: 'dir/name' }, { to: 'dir/name' }],
    ['-o dir/', { output: 'dir/' }, { to: 'dir/model.bin' }],
  ])('%s reaches the library', (_typed, options, expected) => {
    expect(request(options)).toMatchObject(expected);
  });

  it.each<[string, Partial<FetchOptions>, string]>([
    ['a size that is no whole number', { size: '1.5' }, '--size is "1.5": write a whole number of at least 0'],
    ['a size below 0', { size: '-1' }, '--size is "-1"'],
    ['a size that no number holds', { size: '99999999999999999999' }, '--size is "99999999999999999999"'],
    ['a downgrade of bytes that nothing proves', { allowDowngrade: true }, '--allow-downgrade needs a digest or a CID'],
    ['no connections', { connections: '0' }, '--connections is "0": write a whole number of at least 1'],
    ['connections that are no number', { connections: 'many' }, '--connections is "many"'],
    ['no rate', { limitRate: '0' }, '--limit-rate is "0": write at least 1 byte per second'],
    ['a rate that is no size', { limitRate: 'fast' }, '--limit-rate is "fast": write bytes per second, such as 50M'],
    ['a stall timeout of 0', { stallTimeout: '0s' }, '--stall-timeout is "0s": write a duration above 0'],
    [
      'a stall timeout that is no duration',
      { stallTimeout: 'soon' },
      '--stall-timeout is "soon": write a duration such as',
    ],
    ['an unknown strategy', { strategy: 'random' }, '--strategy is "random": write ordered or parallel'],
    ['a mirror without scheme', { mirror: ['host/x'] }, '--mirror: "host/x" is no URL: write https://host/path'],
    ['a mirror of another scheme', { mirror: ['ftp://host/x'] }, '--mirror: "ftp://host/x" is no URL'],
    ['a gateway that is gone', { gateway: ['cloudflare-ipfs.com'] }, '--gateway: "cloudflare-ipfs.com" cannot serve'],
    ['an endpoint that is no URL', { hfEndpoint: 'hub' }, '--hf-endpoint is "hub": write an http:// or https:// URL'],
    ['an empty path', { output: '' }, '--output is ""'],
  ])('K24 refuses %s', (_what, options, sentence) => {
    expect(() => request(options)).toThrow(RangeError);
    expect(() => request(options)).toThrow(sentence);
  });

  it('takes options that are not typed from the environment', () => {
    const env = {
      ...{ IPFS_GATEWAYS: 'http://a, http://b', HF_ENDPOINT: 'http://hub', HF_TOKEN: 'secret' },
      ...{ HTTP_PROXY: 'http://proxy', NO_PROXY: 'lan' },
    };
    expect(request({}, CID, env)).toMatchObject({
      ...{ gateways: ['http://a', 'http://b'], hfEndpoint: 'http://hub', hfToken: 'secret', to: CID },
      proxy: { http: 'http://proxy', noProxy: 'lan' },
    });
    const typed = { gateway: ['http://c'], hfEndpoint: 'http://other' };
    expect(request(typed, CID, env)).toMatchObject({ gateways: ['http://c'], hfEndpoint: 'http://other' });
  });

  it('asks for a gateway only where a CID has none: one that was pasted with it is one', () => {
    expect(() => request({}, CID)).toThrow('no IPFS gateway to ask: give --gateway BASE');
    expect(request({}, `https://gateway.example/ipfs/${CID}/onnx/model.onnx`).to).toBe('model.onnx');
    expect(request({}, `https://${CID}.ipfs.gateway.example/?filename=a.onnx`).to).toBe('a.onnx');
  });
});
