import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import { nodeFiles } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { writeAtomically } from '#os/write-file';
import type { HubAbout } from '#sources/hub/hub-api';

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

const COMMIT = /^[0-9a-f]{40}$/;

/** What is remembered on the disk: files by commit, and the commit that a branch had last. Losing it costs a question to the hub. */
export function mirrorFiles(folder: string, logger: Logger) {
  const pathOf = (kind: 'commit' | 'ref', key: string, revision: string): string =>
    join(folder, `${kind}-${createHash('sha256').update(`${key}@${revision}`).digest('hex')}.json`);
  const read = async (path: string): Promise<unknown> => {
    const text = await ifPresent(readFile(path, 'utf8'));
    return text === undefined ? undefined : parseJson(text);
  };
  return {
    async revision(key: string, commit: string): Promise<MirrorRevision | undefined> {
      const value = Object(await read(pathOf('commit', key, commit))) as Partial<MirrorRevision>;
      return value.commit === commit && Array.isArray(value.files) ? (value as MirrorRevision) : undefined;
    },
    async commitOf(key: string, revision: string): Promise<string | undefined> {
      const { commit } = Object(await read(pathOf('ref', key, revision))) as { commit?: unknown };
      return typeof commit === 'string' && COMMIT.test(commit) ? commit : undefined;
    },
    /** A disk that refuses it changes no answer. */
    async keep(key: string, revision: string, found: MirrorRevision): Promise<void> {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeAtomically(nodeFiles, pathOf('commit', key, found.commit), JSON.stringify(found));
        await writeAtomically(nodeFiles, pathOf('ref', key, revision), JSON.stringify({ commit: found.commit }));
      } catch (err) {
        logger.warn({ err, revision }, 'what the hub said is not kept for when it is away');
      }
    },
  };
}
