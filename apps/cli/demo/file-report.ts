import { formatBytes } from '#core/units';
import type { Download } from '#contracts/http/downloads';
import { CliError, EXIT } from '../exit-code.ts';
import { formatTable } from '../terminal/table.ts';
import type { DemoFile } from './demo-file.ts';

/** Result of one file of the demo's model. */
export interface FileReport {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly source: string;
  readonly bytesPerSecond: number;
  readonly outcome: string;
  /** Absolute path on the host. */
  readonly where: string;
}

/** @throws CliError when the downloaded file is not that of the origin */
export function fileReport(files: readonly DemoFile[], download: Download): FileReport {
  const expected = files.find((file) => file.path === download.file);
  if (download.sha256 !== expected?.sha256 || download.bytes !== expected.sizeBytes)
    throw new CliError(EXIT.failed, `${download.file} is not the file at the origin`);
  const ms = Date.parse(download.completedAt!) - Date.parse(download.startedAt!);
  return {
    path: download.file,
    sizeBytes: download.bytes,
    sha256: download.sha256,
    source: download.source ?? '',
    bytesPerSecond: Math.round(download.bytes / (Math.max(1, ms) / 1000)),
    outcome: download.outcome ?? '',
    where: download.path ?? '',
  };
}

/** @param columns width of the terminal, to which the table is shortened; undefined for a file */
export function demoTable(files: readonly FileReport[], columns: number | undefined): string {
  const tables = [fullTable(files), shortTable(files, true), shortTable(files, false)];
  return tables.find((table) => columns === undefined || widthOf(table) <= columns) ?? tables.at(-1)!;
}

function fullTable(files: readonly FileReport[]): string {
  const rows = files.map((file) => [
    file.path,
    formatBytes(file.sizeBytes),
    file.sha256,
    file.source,
    file.outcome,
    speedOf(file),
    file.where,
  ]);
  return formatTable(['path', 'size', 'sha256', 'source', 'outcome', 'speed', 'where'], rows, [1, 5]);
}

const DIGEST_START = 12;

function shortTable(files: readonly FileReport[], withOutcome: boolean): string {
  const rows = files.map((file) => [
    file.path,
    formatBytes(file.sizeBytes),
    `${file.sha256.slice(0, DIGEST_START)}…`,
    file.source.split('/')[0]!,
    speedOf(file),
    ...(withOutcome ? [file.outcome] : []),
  ]);
  const header = ['path', 'size', 'sha256', 'source', 'speed', ...(withOutcome ? ['outcome'] : [])];
  return `${formatTable(header, rows, [1, 4])}\n\nThe files are in ${folderOf(files)}`;
}

const speedOf = ({ bytesPerSecond }: FileReport): string => `${formatBytes(bytesPerSecond)}/s`;

/** Folder of the model: the path of a file without its path in the model. */
function folderOf([first]: readonly FileReport[]): string {
  return first?.where.endsWith(first.path) ? first.where.slice(0, -first.path.length) : '';
}

/** Width without the line of the folder, which may wrap. */
const widthOf = (table: string): number =>
  Math.max(
    ...table
      .split('\n\n')[0]!
      .split('\n')
      .map((line) => line.length),
  );
