import { codeOf, messageOf } from '#core/error-facts';
import { freePort, listenOnce } from '#os/port';
import { CliError, EXIT } from '../exit-code.ts';

/**
 * Finds the port of the API before any process is started: a busy port would be noticed late, and the program that listens there would be
 * taken for the API.
 *
 * @param wanted 0 chooses a free port
 * @throws CliError that names the setting to change
 */
export async function choosePort(bind: string, wanted: number): Promise<number> {
  try {
    return await (wanted === 0 ? freePort(bind) : listenOnce(bind, wanted));
  } catch (cause) {
    throw new CliError(EXIT.failed, reasonOf(cause, bind, wanted), { cause });
  }
}

export async function isFree(bind: string, port: number): Promise<boolean> {
  try {
    await listenOnce(bind, port);
    return true;
  } catch {
    return false; // another reason, such as a missing permission, keeps the API away as well
  }
}

function reasonOf(error: unknown, bind: string, port: number): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `port ${port} of ${bind} is in use: stop the program that listens there, or set HAULIER_PORT to another port (0 takes a free one)`;
    case 'EACCES':
      return `port ${port} may not be used by this user: set HAULIER_PORT to one above 1023`;
    default:
      return `HAULIER_BIND is "${bind}", where this machine cannot listen (${messageOf(error)}): write one of its addresses`;
  }
}
