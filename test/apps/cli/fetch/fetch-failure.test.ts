import { describe, expect, it } from '@jest/globals';
import { StorageError } from '#core/failure';
import { FetchAccount } from '../../../../apps/cli/fetch/fetch-account.ts';
import { failureOf } from '../../../../apps/cli/fetch/fetch-failure.ts';

const PATH = '/models/.m.bin.haulier-part';
const NEVER = new AbortController().signal;

const errno = (code: string): Error => Object.assign(new Error(`${code}: whatever, open '${PATH}'`), { code });
const sentenceOf = (error: Error): string => (failureOf(error, NEVER, true, new FetchAccount()) as Error).message;

describe('a fetch that the disk refuses', () => {
  it.each([
    ['G08', 'EACCES', 'no permission to write in /models'],
    ['G05', 'EROFS', '/models is on a read-only file system'],
    ['G10', 'ENOENT', 'the folder /models was removed'],
    ['G01', 'ENOSPC', 'no space left in /models; free some and run the same command again'],
    ['G03', 'EDQUOT', 'no space left in /models; free some and run the same command again'],
  ])('%s explains %s in one sentence', (_id, code, sentence) => {
    expect(sentenceOf(StorageError.from(errno(code), PATH))).toBe(sentence);
  });

  it('G01 gives the missing space where it is known', () => {
    const cause = StorageError.from(errno('ENOSPC'), PATH);
    expect(sentenceOf(new StorageError('disk-full', PATH, 'full', { cause, missingBytes: 5_240_000 }))).toContain(
      ', 5.24 MB more are needed;',
    );
  });

  it('is one line for every message of a library', () => {
    expect(sentenceOf(new StorageError('io', PATH, 'first\n  second \u001b[2J\n'))).toBe(
      `${PATH}: first second \ufffd[2J`,
    );
  });
});

describe('a fetch that is interrupted', () => {
  const interrupted = (committedBytes: number, isProvable: boolean): string => {
    const account = new FetchAccount();
    const idle = {
      frontierBytes: 0,
      wastedBytes: 0,
      rolledBackBytes: 0,
      bytesPerSecond: 0,
      activeSources: [],
      sources: [],
      tries: 0,
    };
    account.progressed({ committedBytes, totalBytes: 1000, ...idle });
    return (failureOf(new Error('stop'), AbortSignal.abort('SIGINT'), isProvable, account) as Error).message;
  };

  it('K24 RE8 tells how much the same command keeps', () => {
    expect(interrupted(400, true)).toBe('interrupted, 400 B of 1.00 kB done; the same command continues from here');
    expect(interrupted(500, false)).toContain('the same command continues from here');
    expect(interrupted(400, false)).toContain('less than half a file is not kept: give --sha256 to keep them');
    expect(interrupted(0, true)).toContain('starts again');
  });
});
