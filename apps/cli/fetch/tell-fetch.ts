import { resolve } from 'node:path';
import type { DownloadOptions, DownloadReport } from '#fetch/download';
import { parseLocator } from '#fetch/locator';
import { ExhaustedError } from '#core/failure';
import type { Outcome } from '#core/layer';
import { formatBytes, formatDuration, SECOND_MS } from '#core/units';
import { printable } from '../terminal/cells.ts';
import type { FetchAccount } from './fetch-account.ts';

/** The one object of `--json`, with the same names however the fetch ended. */
export interface FetchDocument extends Pick<DownloadReport, 'verified' | 'resumedBytes' | 'wastedBytes' | 'badLeaves'> {
  /** Absolute; null when the request was refused before the path was known. */
  readonly path: string | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly cid: string | null;
  readonly outcome: Outcome | null;
  readonly sources: FetchAccount['sources'];
  /** Why it did not succeed; null when it did. */
  readonly error: string | null;
  /** One sentence for each source and way of failing. */
  readonly errors: readonly string[];
}

export const documentOfSuccess = (report: DownloadReport, account: FetchAccount): FetchDocument => ({
  ...report,
  cid: report.cid ?? null,
  error: null,
  errors: account.errors(),
});

/** @param to undefined when the request was refused before the path was known */
export function documentOfFailure(
  to: string | undefined,
  error: unknown,
  message: string,
  account: FetchAccount,
): FetchDocument {
  const { sources, progress } = account;
  return {
    path: to === undefined ? null : resolve(to),
    sizeBytes: progress?.totalBytes ?? null,
    sha256: null,
    cid: null,
    outcome: error instanceof ExhaustedError ? 'all_layers_exhausted' : null,
    verified: false,
    resumedBytes: account.resumedBytes,
    wastedBytes: sources.reduce((sum, { wastedBytes }) => sum + wastedBytes, 0),
    badLeaves: sources.reduce((sum, { badLeaves }) => sum + badLeaves, 0),
    sources,
    error: message,
    errors: account.errors(error instanceof ExhaustedError ? error.failures : []),
  };
}

/**
 * Explains why one connection is used, and how to get more. A hub gives the digests of its files, and a local file gains nothing from
 * more connections.
 *
 * @returns undefined when the bytes will be proven, or the user asked for one connection
 */
export function oneConnectionNotice({ from, digests = {}, connections }: DownloadOptions): string | undefined {
  const locator = parseLocator(from);
  if (locator.kind !== 'url' || locator.url.startsWith('file:') || connections === 1) return undefined;
  if (Object.keys(digests).length > 0) return undefined;
  return 'one connection only, because nothing will prove these bytes: give --sha256, or a CID instead of the URL, for more';
}

/** Lines for people: size, speed, sources, wasted bytes, and whether the bytes are proven. */
export function summaryLines(report: DownloadReport, ms: number): string[] {
  const { path, sizeBytes, resumedBytes, sources } = report;
  const senders = sources.filter(({ bytes }) => bytes > 0).map(({ source }) => printable(source));
  const fetched = sources.reduce((sum, { bytes }) => sum + bytes, 0);
  const facts = [
    `${formatBytes(sizeBytes)} in ${formatDuration(ms)}${speedOf(fetched, ms)}`,
    ...(senders.length > 0 ? [`from ${senders.join(', ')}`] : []),
    ...(resumedBytes > 0 ? [`${senders.length > 0 ? formatBytes(resumedBytes) : 'all of it'} here already`] : []),
    report.verified
      ? 'verified'
      : `UNVERIFIED: nothing proved these bytes; for the next fetch: --sha256 ${report.sha256}`,
  ];
  return [...sources.flatMap(wasteOf), ...encodedLines(report), `${printable(path)}  ${facts.join('  ')}`];
}

/** Unproven bytes may be compressed: Haulier does not decode. */
const encodedLines = ({ verified, sources }: DownloadReport): string[] =>
  sources
    .filter(({ bytes, encoding }) => !verified && bytes > 0 && encoding !== undefined)
    .map(
      ({ source, encoding }) =>
        `${printable(source)} sent the file with content encoding ${encoding}; it is stored as sent, not decoded`,
    );

/** Empty for less than a second: the speed would mean nothing. */
const speedOf = (bytes: number, ms: number): string =>
  bytes > 0 && ms >= SECOND_MS ? ` (${formatBytes((bytes * SECOND_MS) / ms)}/s)` : '';

function wasteOf({ source, wastedBytes, leftBecause }: DownloadReport['sources'][number]): string[] {
  if (wastedBytes === 0) return [];
  const because = leftBecause === undefined ? '' : `: ${printable(leftBecause)}`;
  return [`${formatBytes(wastedBytes)} from ${printable(source)} were discarded${because}`];
}
