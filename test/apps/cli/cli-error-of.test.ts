import { describe, expect, it } from '@jest/globals';
import { ExhaustedError, SourceError, StorageError, VerifyError } from '#core/failure';
import { cliErrorOf } from '../../../apps/cli/cli-error-of.ts';

describe('what failed, for the user', () => {
  it.each([
    ['a value that cannot be read', new RangeError('write it so'), 2, 'write it so'],
    ['a source', new SourceError('missing', 'hub', 'answered 404'), 1, 'hub: answered 404'],
    ['a source that names itself', new SourceError('missing', 'hub', 'the hub is gone'), 1, 'the hub is gone'],
    ['the disk', new StorageError('disk-full', '/a/b', 'no space left'), 1, '/a/b: no space left'],
    ['the disk, whose error has the path', new StorageError('denied', '/a', "open '/a'"), 1, "open '/a'"],
    ['content', new VerifyError('wrong-digest', 'other bytes'), 1, 'other bytes'],
    ['every source', new ExhaustedError('a.bin', [], false), 1, new ExhaustedError('a.bin', [], false).message],
  ])('is one sentence and an exit code: %s', (_what, error, exitCode, message) => {
    expect(cliErrorOf(error)).toMatchObject({ name: 'CliError', exitCode, message, cause: error });
  });

  it('ends with the hint of the command', () => {
    const error = new VerifyError('wrong-digest', 'other bytes');
    expect(cliErrorOf(error, () => '; look again')).toMatchObject({ message: 'other bytes; look again' });
  });

  it('returns a bug unchanged', () => {
    const bug = new TypeError('undefined is not a function');
    expect(cliErrorOf(bug)).toBe(bug);
  });
});
