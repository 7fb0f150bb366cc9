import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Root of everything that this user's programs keep.
 *
 * @param given HAULIER_HOME; where it is left out, `.haulier` in the user's home folder
 * @throws RangeError where there is neither: a user id of a container that the machine does not know has no home
 */
export function homeFolder(given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  const home = homeOfUser();
  if (home === '')
    throw new RangeError(
      'HAULIER_HOME is missing, and this user has no home folder: set it to a folder that may be written',
    );
  return join(home, '.haulier');
}

/** Without HOME, Node looks the user up and throws where the machine does not know the id. */
function homeOfUser(): string {
  try {
    return homedir();
  } catch {
    return '';
  }
}
