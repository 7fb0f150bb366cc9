import { chown, readdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { runCommand } from './command.ts';

const NOBODY = 65534;

/** How a command is run as a user that PostgreSQL accepts: it refuses root. */
export interface RunAs {
  /** Words before the command. */
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const UNSHARE = ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];
const IN_NAMESPACE: RunAs = { prefix: ['unshare', ...UNSHARE] };

/**
 * As an ordinary user: as we are. As root: in a user namespace where our files seem to belong to the user nobody; where namespaces
 * are forbidden (many containers), as the user nobody, which then owns the folder. PostgreSQL also refuses a user id without a name, such
 * as containers are given: that one runs in a user namespace too.
 *
 * @param dataDir exists; its owner decides again on the next start, so a folder is not handed to and fro
 * @throws StorageError where a user id without a name may not make a namespace
 */
export async function unprivileged(dataDir: string): Promise<RunAs> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && hasName()) return { prefix: [] };
  const { uid } = await stat(dataDir);
  const mayUnshare = runCommand('unshare', [...UNSHARE, 'true']).then(
    () => true,
    () => false,
  );
  if (uid !== NOBODY && (await mayUnshare)) return IN_NAMESPACE;
  if (!isRoot) {
    const advice = 'give it an entry in /etc/passwd, or set DATABASE_URL to a server of your own';
    throw new StorageError(
      'io',
      dataDir,
      `PostgreSQL does not run as user id ${process.getuid?.()}, which has no name: ${advice}`,
    );
  }
  await giveToNobody(dataDir);
  return { prefix: [], uid: NOBODY, gid: NOBODY };
}

function hasName(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    return false;
  }
}

async function giveToNobody(dataDir: string): Promise<void> {
  const entries = await readdir(dataDir, { recursive: true });
  for (const path of [dataDir, ...entries.map((entry) => join(dataDir, entry))]) await chown(path, NOBODY, NOBODY);
}
