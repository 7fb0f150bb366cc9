import { describe, expect, it } from '@jest/globals';
import { download, type DownloadOptions } from '#fetch/download';

const asked = (more: object): Promise<unknown> =>
  download({ from: 'http://127.0.0.1:9/x', to: 'never-written', ...more } as DownloadOptions);

describe('the options of the library', () => {
  it.each<[string, object, string]>([
    ['a mistyped option', { connection: 2 }, '"connection" is no option of download: did you mean connections?'],
    ['an option in other letters', { stalltimeoutms: 2 }, 'did you mean stallTimeoutMs?'],
    ['a mistyped option without a value', { mirror: undefined }, 'did you mean mirrors?'],
    ['an option far from all others', { retries: 2 }, '"retries" is no option of download: known are from, to, '],
    ['a digest outside of digests', { sha256: 'ab' }, 'write digests: { sha256: "…" }'],
  ])('refuse %s, by name and with the nearest known one', async (_what, more, sentence) => {
    await expect(asked(more)).rejects.toThrow(RangeError);
    await expect(asked(more)).rejects.toThrow(sentence);
  });

  it.each<[string, object, string]>([
    ['no source', { from: undefined }, 'the option from is missing: write a CID, a URL or hf:owner/repo/path@revision'],
    ['no target', { to: '' }, 'the option to is "": write the path of the finished file'],
    [
      'connections as a text',
      { connections: '4' },
      'the option connections is "4": write a whole number of at least 1',
    ],
    ['no connection', { connections: 0 }, 'the option connections is 0'],
    ['a size of half a byte', { sizeBytes: 1.5 }, 'the option sizeBytes is 1.5: write a whole number of at least 0'],
    ['a rate of nothing', { limitBytesPerSecond: 0 }, 'the option limitBytesPerSecond is 0: write a number above 0'],
    [
      'an endless timeout',
      { stallTimeoutMs: Infinity },
      'the option stallTimeoutMs is Infinity: write a number above 0',
    ],
    ['an unknown strategy', { strategy: 'random' }, 'the option strategy is "random": write "ordered" or "parallel"'],
    [
      'one mirror that is no list',
      { mirrors: 'http://h/x' },
      'the option mirrors is "http://h/x": write a list of URLs',
    ],
    ['a callback that is none', { onProgress: true }, 'the option onProgress is true: write a function'],
    ['a signal that is none', { signal: {} }, 'the option signal is {}: write an AbortSignal'],
    [
      'a mistyped digest',
      { digests: { sha265: 'ab' } },
      '"sha265" is no digest of the option digests: did you mean sha256?',
    ],
    ['a short digest', { digests: { sha256: 'ab' } }, 'digests.sha256 is "ab": write 64 hexadecimal digits'],
    ['a digest as bytes', { digests: { md5: [1] } }, 'digests.md5 is [1]: write hexadecimal digits'],
  ])('refuse %s, with its value and what would be right', async (_what, more, sentence) => {
    await expect(asked(more)).rejects.toThrow(RangeError);
    await expect(asked(more)).rejects.toThrow(sentence);
  });

  it('show no secret in a refusal', async () => {
    await expect(asked({ hfToken: 12345 })).rejects.toThrow(
      'the option hfToken is not usable (its value is not shown)',
    );
    await expect(asked({ mirrors: 'http://me:secret@h/x' })).rejects.toThrow(/^(?!.*secret)the option mirrors/);
  });
});
