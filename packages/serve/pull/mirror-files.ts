import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedMap } from '#core/bounded-map';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import { HOUR_MS, MINUTE_MS } from '#core/units';
import { nodeFiles } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { writeAtomically } from '#os/write-file';
import type { HubAbout } from '#sources/hub/hub-api';
import { MIRROR_LIMITS, pruneMirror, type MirrorLimits } from './prune-mirror.ts';

/** One file of a mirrored repository. */
export interface MirrorFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of large files; of small ones `git` is known. */
  readonly sha256?: string | undefined;
  readonly git?: string | undefined;
}

/** A repository of the hub at one commit. */
export interface MirrorRevision {
  readonly commit: string;
  readonly files: readonly MirrorFile[];
  /** Undefined where it was kept by a version that did not ask. */
  readonly about?: HubAbout | undefined;
}

export interface MirrorFilesOptions {
  readonly folder: string;
  /** Whether the store has the content of a file: what is known of its repository stays then. */
  readonly isHere: (file: MirrorFile) => Promise<boolean>;
  /** Default: 64 MiB and 90 days. */
  readonly limits?: MirrorLimits | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** A use is noted at most this often for each file: it is a write. */
const TOUCH_EVERY_MS = HOUR_MS;
const PRUNE_EVERY_MS = 10 * MINUTE_MS;

type Kind = 'commit' | 'ref';

/**
 * What is remembered on the disk: files by commit, and the commit that a branch had last. Losing it costs a question to the hub, so what was not used
 * for long, and what takes too much space, is deleted.
 */
export function mirrorFiles({ folder, isHere, limits = MIRROR_LIMITS, now, logger }: MirrorFilesOptions) {
  const pathOf = (kind: Kind, key: string, revision: string): string =>
    join(folder, `${kind}-${createHash('sha256').update(`${key}@${revision}`).digest('hex')}.json`);
  const usedAt = new BoundedMap<number>({ capacity: 10_000 });
  let prunedAt = -Infinity;
  const noteUse = async (kind: Kind, key: string, revision: string): Promise<void> => {
    const path = pathOf(kind, key, revision);
    if (now() - (usedAt.get(path) ?? -Infinity) < TOUCH_EVERY_MS) return;
    usedAt.set(path, now());
    const at = now() / 1000;
    await ifPresent(nodeFiles.utimes(path, at, at)).catch((err: unknown) =>
      logger.debug({ err, path }, 'use of what the hub said is not noted'),
    );
  };
  const write = async (path: string, value: object): Promise<void> => {
    await writeAtomically(nodeFiles, path, JSON.stringify(value));
    usedAt.set(path, now());
  };
  const prune = (): void => {
    if (now() - prunedAt < PRUNE_EVERY_MS) return;
    prunedAt = now();
    const answers = (path: string): Promise<boolean> =>
      answersForStore(path, (key, commit) => pathOf('commit', key, commit), isHere);
    pruneMirror(folder, limits, now(), { answers, usedAtMs: (path) => usedAt.peek(path) }).catch((err: unknown) =>
      logger.warn({ err, folder }, 'what the hub said long ago is not deleted'),
    );
  };
  return {
    noteUse,
    revision: (key: string, commit: string): Promise<MirrorRevision | undefined> =>
      readRevision(pathOf('commit', key, commit), commit),
    async commitOf(key: string, revision: string): Promise<string | undefined> {
      const { commit } = await readObject(pathOf('ref', key, revision));
      return typeof commit === 'string' && COMMIT.test(commit) ? commit : undefined;
    },
    /** A disk that refuses it changes no answer. */
    async keep(key: string, revision: string, found: MirrorRevision): Promise<void> {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const ref = { commit: found.commit, repo: key };
        await write(pathOf('commit', key, found.commit), found);
        await write(pathOf('ref', key, revision), ref);
      } catch (err) {
        logger.warn({ err, revision }, 'what the hub said is not kept for when it is away');
      }
      prune();
    },
  };
}

async function readObject(path: string): Promise<Record<string, unknown>> {
  const text = await ifPresent(readFile(path, 'utf8'));
  return text === undefined ? {} : (Object(parseJson(text)) as Record<string, unknown>);
}

async function readRevision(path: string, commit: unknown): Promise<MirrorRevision | undefined> {
  const value = (await readObject(path)) as Partial<MirrorRevision>;
  return value.commit === commit && Array.isArray(value.files) ? (value as MirrorRevision) : undefined;
}

/**
 * Whether a file of the folder is the list of a commit of which the store has a file, or the branch that leads to it. Large files count, where there are
 * some: small ones, such as `.gitattributes`, are the same in many repositories.
 */
async function answersForStore(
  path: string,
  listOf: (key: string, commit: string) => string,
  isHere: (file: MirrorFile) => Promise<boolean>,
): Promise<boolean> {
  const { commit, repo } = await readObject(path);
  const isRef = typeof commit === 'string' && typeof repo === 'string';
  const list = await readRevision(isRef ? listOf(repo, commit) : path, commit);
  const files = list?.files ?? [];
  const large = files.filter(({ sha256 }) => sha256 !== undefined);
  for (const file of large.length > 0 ? large : files) if (await isHere(file)) return true;
  return false;
}
