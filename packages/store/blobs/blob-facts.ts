import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { StorageError } from '#core/failure';
import { DIGEST_ALGORITHMS, type Digests } from '#core/file-spec';
import { parseJson } from '#core/text/parse-json';
import { ifPresent } from '#os/if-present';
import { unlinkIfPresent, writeAtomically } from '#os/write-file';
import type { StoreContext } from '../context.ts';
import { factsPath, isSha256 } from '../layout.ts';

/**
 * What is known of one blob besides its bytes. Losing it costs a hash, never a file: it is written without fsync,
 * and anything unreadable counts as absent.
 */
export interface BlobFacts {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Root as CIDv1 in base32. */
  readonly cid?: string | undefined;
  /** Digests other than SHA-256 that the file was proven to have. */
  readonly digests: Digests;
  /** When all bytes were last hashed; milliseconds since 1970. */
  readonly verifiedAt: number;
  /** The file as it was then: another mtime or inode is another file. */
  readonly mtimeMs: number;
  readonly inode: number;
}

export async function readFacts(context: StoreContext, sha256: string): Promise<BlobFacts | undefined> {
  const raw = await ifPresent(context.fs.readFile(factsPath(context.paths, sha256), 'utf8'));
  return raw === undefined ? undefined : parseFacts(raw, sha256);
}

function parseFacts(raw: string, sha256: string): BlobFacts | undefined {
  const value = parseJson(raw) as BlobFacts | null | undefined;
  const isSound =
    value?.sha256 === sha256 &&
    [value.sizeBytes, value.verifiedAt, value.mtimeMs, value.inode].every((n) => typeof n === 'number') &&
    typeof value.digests === 'object';
  return isSound ? value : undefined;
}

/** Remembers a blob and every other name it has. */
export async function writeFacts(context: StoreContext, facts: BlobFacts): Promise<void> {
  const path = factsPath(context.paths, facts.sha256);
  await context.fs.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeAtomically(context.fs, path, JSON.stringify(facts));
  for (const [kind, value] of namesOf(facts)) await writeAlias(context, kind, value, facts.sha256);
}

/** Forgets a blob that is deleted or quarantined. Its CID stays as a name: what comes next has the same content. */
export async function dropFacts(context: StoreContext, sha256: string): Promise<void> {
  await unlinkIfPresent(context.fs, factsPath(context.paths, sha256));
}

function namesOf(facts: BlobFacts): [string, string][] {
  const names: [string, string][] = facts.cid === undefined ? [] : [['cid', facts.cid]];
  for (const algorithm of DIGEST_ALGORITHMS) {
    const value = facts.digests[algorithm];
    if (value !== undefined && algorithm !== 'sha256') names.push([algorithm, value]);
  }
  return names;
}

/** Names are hashed into file names: a CID may be long, and some disks fold case. */
const aliasPath = (context: StoreContext, kind: string, value: string): string =>
  join(context.paths.aliases, `${kind}-${createHash('sha256').update(value).digest('hex')}`);

async function writeAlias(context: StoreContext, kind: string, value: string, sha256: string): Promise<void> {
  const path = aliasPath(context, kind, value);
  if ((await ifPresent(context.fs.readFile(path, 'utf8'))) === sha256) return;
  await context.fs.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeAtomically(context.fs, path, sha256);
}

/** @returns the SHA-256 of the content with this CID or digest, when the store ever had it */
export async function resolveAlias(context: StoreContext, kind: string, value: string): Promise<string | undefined> {
  const path = aliasPath(context, kind, value);
  try {
    const sha256 = await ifPresent(context.fs.readFile(path, 'utf8'));
    return sha256 !== undefined && isSha256(sha256) ? sha256 : undefined;
  } catch (error) {
    throw StorageError.from(error, path);
  }
}
