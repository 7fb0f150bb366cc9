import { createHash } from 'node:crypto';
import type { Manifest } from '#contracts/manifest';

/** The name of a manifest: `sha256:` and the hash of its JSON with sorted keys, left-out fields left out. */
export function manifestDigest(manifest: Manifest): string {
  return `sha256:${createHash('sha256').update(sortedJson(manifest)).digest('hex')}`;
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => sortedJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(',')}}`;
}
