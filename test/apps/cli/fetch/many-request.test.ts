import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { FetchOptions } from '../../../../apps/cli/fetch/fetch-request.ts';
import { filesOfList, manyRequestOf, refuseClashes, type WantedFile } from '../../../../apps/cli/fetch/many-request.ts';

const config = Buffer.from('{"a":1}');
const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const sha256 = sha256Of(config);

const read = (list: string, typed: Partial<FetchOptions> = {}): readonly WantedFile[] => {
  const options: FetchOptions = { stallTimeout: '30s', strategy: 'ordered', progress: 'none', ...typed };
  const { files } = filesOfList('list', list, options, manyRequestOf('.', options, {}));
  refuseClashes(files);
  return files;
};

describe('an input file', () => {
  it.each([
    ['coreutils', `${sha256}  ./a b/c.bin`, { sha256 }],
    ['coreutils of binary files', `${sha256.toUpperCase()} *a b/c.bin`, { sha256 }],
    ['--tag and the BSDs', `SHA256 (a b/c.bin) = ${sha256}`, { sha256 }],
    ['md5sum', `${'0'.repeat(32)}  a b/c.bin`, { md5: '0'.repeat(32) }],
    ['sha1sum', `${'0'.repeat(40)}  a b/c.bin`, { sha1: '0'.repeat(40) }],
    [
      'sha512sum, with the line ends of Windows',
      `\ufeff${'0'.repeat(128)}  a b/c.bin\r\n\r\n`,
      { sha512: '0'.repeat(128) },
    ],
  ])('in the format of %s gives path and digest', (_what, line, digests) => {
    const [file] = read(line, { baseUrl: 'https://host/models/?token=1' });
    expect(file).toMatchObject({ path: 'a b/c.bin', options: { digests } });
    expect(file?.options.from).toBe('https://host/models/a%20b/c.bin?token=1');
  });

  it('of sha256sum may have special characters of URLs in its paths', () => {
    const [file] = read(`${sha256}  a#b?c%20 [x]@+.bin`, { baseUrl: 'http://h' });
    expect(file?.options.from).toBe('http://h/a%23b%3Fc%2520%20%5Bx%5D%40%2B.bin');
  });

  it('of aria2 gives mirrors, names and digests, and an absolute folder below that of the fetch', () => {
    const dir = resolve('out/sub');
    const list = `http://h/x\thttp://g/x\n dir=${dir}\n\tout=y\n  checksum=SHA-1=${'0'.repeat(40)}\nhttp://h/a%20b.bin\n`;
    expect(read(list, { output: 'out' })).toMatchObject([
      {
        path: 'sub/y',
        origin: 'h',
        options: { from: 'http://h/x', mirrors: ['http://g/x'], digests: { sha1: '0'.repeat(40) } },
      },
      { path: 'a b.bin', options: { from: 'http://h/a%20b.bin', digests: {} } },
    ]);
  });

  it('is narrowed by --include and --exclude', () => {
    const list = 'http://h/a.bin\nhttp://h/b.bin\nhttp://h/c.txt\n';
    expect(read(list, { include: ['*.bin'], exclude: ['b*'] }).map(({ path }) => path)).toEqual(['a.bin']);
  });

  it('of ten thousand entries is read in one pass', () => {
    const list = Array.from({ length: 10_000 }, (_, index) => `${sha256}  dir${index % 100}/${index}.bin`).join('\n');
    expect(read(list, { baseUrl: 'http://h' })).toHaveLength(10_000);
  });

  it.each([
    ['two entries with one path', `http://h/a/x\nhttp://h/b/x`, 'have the same path, "x"'],
    ['a file that is a folder of another', `http://h/x\n  out=m\nhttp://h/y\n  out=m/y`, 'needs a folder of that name'],
    ['a path that leaves the folder', `http://h/x\n  out=../x`, 'has the segment ".."'],
    ['an absolute path', `http://h/x\n  out=/etc/x`, 'is absolute'],
    ['an absolute folder elsewhere', `http://h/x\n  dir=/etc`, 'list:1: dir=/etc is not below'],
    ['a header', `http://h/x\n  header=Cookie: a`, 'list:2: "header=Cookie: a" is an unknown option'],
    ['a digest of a wrong length', `http://h/x\n  checksum=sha-256=12`, 'list:2: sha-256 is "12": write 64'],
    [
      'a digest list without a base',
      `${sha256Of(config)}  x`,
      'give --base-url URL, the address below which the paths are',
    ],
    ['a line that names nothing', 'what is this', 'list:1: "what is this" names no file'],
    ['an empty list', '# nothing\n', 'list names no file'],
  ])('K36 refuses %s', (_what, list, sentence) => {
    expect(() => read(list)).toThrow(RangeError);
    expect(() => read(list)).toThrow(sentence);
  });
});
