import { hash, verify } from '@node-rs/argon2';
import { RequestError } from '../../server/errors/request-error.ts';

export interface Passwords {
  /**
   * @returns the argon2id hash in the PHC form, with its salt and cost
   * @throws RequestError `too-many-requests` when many are being hashed already
   */
  hash(password: string): Promise<string>;
  /**
   * Takes the same time whether there is a hash or not, so that the time does not tell which users exist.
   *
   * @param kept the hash of the user; undefined or null for a user who does not exist or has no password
   * @throws RequestError `too-many-requests` when many are being hashed already
   */
  matches(kept: string | null | undefined, password: string): Promise<boolean>;
}

/** OWASP Password Storage Cheat Sheet: argon2id (the default of the library), 19 MiB, two passes, one lane. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hashes at once: a burst of sign-ins must take neither the memory nor all threads of the process. */
const MAX_AT_ONCE = 2;
const MAX_WAITING = 100;

/** Hash of random bytes that were thrown away: no password has it. */
const OF_NO_PASSWORD =
  '$argon2id$v=19$m=19456,t=2,p=1$zbN87UiFDlPj42ACR9ysOA$Illzd8kRc7G5BF6TlaGMq+SzL89F7BPISswTm2GVrj8';

export function createPasswords(): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting.length >= MAX_WAITING)
      throw new RequestError('too-many-requests', 'too many passwords are being checked: try again in a few seconds');
    if (running >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return {
    hash: (password) => inTurn(() => hash(normalized(password), COST)),
    async matches(kept, password) {
      const isRight = await inTurn(() => verify(kept ?? OF_NO_PASSWORD, normalized(password)));
      return isRight && kept != null;
    },
  };
}

/** Keyboards write the same letter in several ways. @see RFC 8265 section 4.2.2 */
const normalized = (password: string): string => password.normalize('NFC');
