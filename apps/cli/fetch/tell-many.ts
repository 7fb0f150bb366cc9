import type { DownloadReport } from '#fetch/download';
import type { FileEnd } from '#fetch/download-many';
import { messageOf } from '#core/error-facts';
import { formatBytes, formatDuration, SECOND_MS } from '#core/units';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, exitCodeOfSignal } from '../exit-code.ts';
import { printable } from '../terminal/cells.ts';
import { FetchAccount } from './fetch-account.ts';
import { pathOnDisk, type ManyRequest, type WantedFile } from './many-request.ts';
import { documentOfFailure, type FetchDocument } from './tell-fetch.ts';

/** Failed files that the last line names. */
const MOST_NAMED = 10;

/** State of a finished file, for its line in a log. */
export const stateOf = (report: DownloadReport): string =>
  isKept(report) ? 'here already, verified' : report.verified ? 'verified' : 'UNVERIFIED';

const isKept = ({ outcome }: DownloadReport): boolean => outcome === 'cache_hit';

export const notStarted = (request: ManyRequest, file: WantedFile): FetchDocument =>
  documentOfFailure(pathOnDisk(request, file), undefined, 'not started', new FetchAccount());

/** The results of many downloads. */
export interface ManyResults {
  readonly files: readonly WantedFile[];
  readonly ends: readonly FileEnd[];
  readonly documents: readonly (FetchDocument | undefined)[];
  readonly ms: number;
}

/** Writes digests and paths in the order of the list, as sha256sum reads them, a line for each unproven file, and one for all files. */
export function tellMany({ files, ends, documents, ms }: ManyResults, { stdout, stderr }: CommandContext): void {
  const reports = ends.flatMap((end) => (end !== undefined && 'report' in end ? [end.report] : []));
  if (reports.length > 0) stdout.write(reports.map(({ sha256, path }) => `${sha256}  ${path}\n`).join(''));
  const kept = reports.filter(isKept).length;
  const bytes = reports.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const fetched = documents
    .flatMap((document) => document?.sources ?? [])
    .reduce((sum, source) => sum + source.bytes, 0);
  const unproven = reports.filter(({ verified }) => !verified);
  const speed = fetched > 0 && ms >= SECOND_MS ? ` (${formatBytes((fetched * SECOND_MS) / ms)}/s)` : '';
  const facts = [
    `${files.length} files, ${formatBytes(bytes)} in ${formatDuration(ms)}${speed}`,
    `${reports.length - kept} fetched`,
    ...(kept > 0 ? [`${kept} here already`] : []),
    ...(reports.length < files.length ? [`${files.length - reports.length} not complete`] : []),
    ...(unproven.length === 0 && reports.length > 0 ? ['all of them verified'] : []),
  ];
  for (const { path, sha256 } of unproven)
    stderr.write(`UNVERIFIED: nothing proved ${printable(path)}; for the next fetch: sha256 ${sha256}\n`);
  stderr.write(`${facts.join('  ')}\n`);
}

/** @returns the error of the whole command; undefined when every file is complete */
export function failureOfAll({ files, ends }: ManyResults, signal: AbortSignal): CliError | undefined {
  const failed = files.flatMap(({ path }, index) => {
    const end = ends[index];
    if (end !== undefined && 'report' in end) return [];
    return [`${path}: ${end === undefined ? 'not started' : messageOf(end.error)}`];
  });
  if (failed.length === 0) return undefined;
  const count = `${failed.length} of ${files.length} files`;
  if (signal.aborted)
    return new CliError(
      exitCodeOfSignal(signal.reason),
      `interrupted, ${count} are not complete; the same command continues from here`,
    );
  const named = failed.slice(0, MOST_NAMED).map((line) => `\n  ${line}`);
  const rest = failed.length > MOST_NAMED ? [`\n  … and ${failed.length - MOST_NAMED} more`] : [];
  return new CliError(EXIT.failed, `${count} failed:${[...named, ...rest].join('')}`);
}

/** The one object of `--json`: each file as in the document of a single file, with its name, and the sums. */
export interface ManyDocument {
  /** Absolute; null when the request was refused before the folder was known. */
  readonly path: string | null;
  readonly files: readonly (FetchDocument & { readonly name: string })[];
  /** Complete files, and those of them that were complete before. */
  readonly doneFiles: number;
  readonly keptFiles: number;
  readonly failedFiles: number;
  readonly sizeBytes: number;
  readonly wastedBytes: number;
  /** True when all files are proven. */
  readonly verified: boolean;
  readonly error: string | null;
}

export function documentOfMany(path: string | null, files: ManyDocument['files'], error: string | null): ManyDocument {
  const done = files.filter((file) => file.error === null);
  return {
    path,
    files,
    doneFiles: done.length,
    keptFiles: done.filter(({ outcome }) => outcome === 'cache_hit').length,
    failedFiles: files.length - done.length,
    sizeBytes: done.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
    wastedBytes: files.reduce((sum, { wastedBytes }) => sum + wastedBytes, 0),
    verified: files.length > 0 && files.every(({ verified }) => verified),
    error,
  };
}

export const writeDocument = (document: ManyDocument, { stdout }: CommandContext): void =>
  void stdout.write(`${JSON.stringify(document)}\n`);
