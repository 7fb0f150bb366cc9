import { chown, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';

const NOBODY = 65534;

/** How a command is run as somebody whom PostgreSQL accepts: it refuses root. */
export interface RunAs {
  /** Words before the command. */
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const UNSHARE = ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];

/**
 * As an ordinary user: as we are. As root: in a user namespace where our files seem to be nobody's; where namespaces
 * are forbidden (many containers), as nobody, who then owns the folder.
 *
 * @param dataDir exists; its owner decides again on the next start, so a folder is not handed to and fro
 */
export async function unprivileged(dataDir: string): Promise<RunAs> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const { uid } = await stat(dataDir);
  const namespaces = runCommand('unshare', [...UNSHARE, 'true']).then(
    () => true,
    () => false,
  );
  if (uid !== NOBODY && (await namespaces)) return { prefix: ['unshare', ...UNSHARE] };
  await giveToNobody(dataDir);
  return { prefix: [], uid: NOBODY, gid: NOBODY };
}

async function giveToNobody(dataDir: string): Promise<void> {
  const entries = await readdir(dataDir, { recursive: true });
  for (const path of [dataDir, ...entries.map((entry) => join(dataDir, entry))]) await chown(path, NOBODY, NOBODY);
}
