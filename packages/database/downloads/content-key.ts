import { createHash } from 'node:crypto';
import type { JobFile } from '#contracts/file-spec';

/** Strongest name first: two requests are for the same content when their strongest names are equal. */
const ALGORITHMS = ['sha256', 'sha512', 'sha1', 'git', 'md5'] as const;

/**
 * The name of a file's content, such as `sha256:9f86…`: one of its digests, else its CID, else (nothing proves
 * it) a hash of where it comes from. At most 310 characters.
 */
export function contentKeyOf(file: JobFile): string {
  const algorithm = ALGORITHMS.find((name) => file.digests[name] !== undefined);
  if (algorithm !== undefined) return `${algorithm}:${file.digests[algorithm]}`;
  if (file.cid !== undefined) return `cid:${file.cid}`;
  const places = JSON.stringify([file.sources, file.sizeBytes ?? null, file.minBytes ?? null]);
  return `unproven:${createHash('sha256').update(places).digest('hex')}`;
}
