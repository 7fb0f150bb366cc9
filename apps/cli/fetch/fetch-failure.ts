import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import { ExhaustedError, StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { cliErrorOf } from '../cli-error-of.ts';
import { CliError, exitCodeOfSignal } from '../exit-code.ts';
import { printable } from '../terminal/cells.ts';
import type { FetchAccount } from './fetch-account.ts';

/** @returns a CliError of one line, or the error itself when it is a bug */
export function failureOf(error: unknown, signal: AbortSignal, isProvable: boolean, account: FetchAccount): unknown {
  if (signal.aborted) return new CliError(exitCodeOfSignal(signal.reason), interruption(isProvable, account));
  const failure = cliErrorOf(inWords(error), hintOf);
  return failure instanceof CliError
    ? new CliError(failure.exitCode, printable(failure.message), { cause: error })
    : failure;
}

const hintOf = (error: Error): string =>
  error instanceof ExhaustedError && error.failures.length === 0
    ? '; give --gateway BASE or --mirror URL, or set IPFS_GATEWAYS'
    : '';

function interruption(isProvable: boolean, { progress }: FetchAccount): string {
  const { committedBytes = 0, totalBytes } = progress ?? {};
  if (committedBytes === 0) return 'interrupted before the first bytes; the same command starts again';
  const done = `${formatBytes(committedBytes)} of ${totalBytes === undefined ? '?' : formatBytes(totalBytes)} done`;
  if (isProvable || (totalBytes !== undefined && committedBytes * 2 >= totalBytes))
    return `interrupted, ${done}; the same command continues from here`;
  return `interrupted, ${done}; nothing proves these bytes, so less than half a file is not kept: give --sha256 to keep them`;
}

const SENTENCES: Readonly<Record<string, (path: string) => string>> = {
  EACCES: (path) => `no permission to write in ${dirname(path)}`,
  EPERM: (path) => `no permission to write in ${dirname(path)}`,
  EROFS: (path) => `${dirname(path)} is on a read-only file system`,
  ENOENT: (path) => `the folder ${dirname(path)} was removed`,
  ENOTDIR: (path) => `${dirname(path)} is no folder, so ${path} cannot be in there`,
  EEXIST: (path) => `${dirname(path)} is no folder, so ${path} cannot be in there`,
  ENAMETOOLONG: (path) => `${path} is too long a name for this file system`,
};

/** Replaces the system's message of a disk failure by a sentence for people. */
function inWords(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  const { kind, path, missingBytes } = error;
  const code = codeOf(error.cause instanceof StorageError ? error.cause.cause : error.cause);
  const sentence = NO_SPACE.has(code) ? fullDisk(path, missingBytes) : SENTENCES[code]?.(path);
  // The sentence names the path.
  return sentence === undefined ? error : new StorageError(kind, '', sentence, { cause: error });
}

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);

const fullDisk = (path: string, missingBytes: number | undefined): string =>
  `no space left in ${dirname(path)}` +
  (missingBytes === undefined ? '' : `, ${formatBytes(missingBytes)} more are needed`) +
  '; free some and run the same command again';
