import type { AuditEntry } from '#contracts/http/access/audit';
import { csvText } from './csv.ts';

export const AUDIT_FORMATS = ['csv', 'ndjson'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

const COLUMNS = [
  ...([
    'sequence',
    'at',
    'actor',
    'action',
    'target',
    'result',
    'status',
    'method',
    'path',
    'ip',
    'requestId',
  ] as const),
  ...(['tokenId', 'userId', 'request', 'before', 'after'] as const),
] as const satisfies readonly (keyof AuditEntry)[];

const TYPES: Readonly<Record<AuditFormat, string>> = { csv: 'text/csv', ndjson: 'application/x-ndjson' };

/** A page of the audit, newest first. */
export type AuditPage = (cursor: string | undefined) => Promise<{ entries: AuditEntry[]; nextCursor: string | null }>;

/**
 * Reads every page and makes one file of them.
 *
 * @param told hears how many entries were read so far
 */
export async function auditFile(page: AuditPage, format: AuditFormat, told: (entries: number) => void): Promise<Blob> {
  const parts: string[] = format === 'csv' ? [csvText([COLUMNS])] : [];
  let count = 0;
  for (let cursor: string | undefined; ;) {
    const { entries, nextCursor } = await page(cursor);
    parts.push(textOf(entries, format));
    told((count += entries.length));
    if (nextCursor === null) return new Blob(parts, { type: `${TYPES[format]};charset=utf-8` });
    cursor = nextCursor;
  }
}

const textOf = (entries: readonly AuditEntry[], format: AuditFormat): string =>
  format === 'csv'
    ? csvText(entries.map((entry) => COLUMNS.map((column) => cellOf(entry[column]))))
    : entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

function cellOf(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}
