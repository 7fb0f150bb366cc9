import { ApiError } from '#client/api-error';
import { createClient } from '#client/client';
import { messageOf } from '#core/error-facts';
import { hostKey } from '#core/text/host-name';
import { makeHostKeys } from '#queue/events/batch-signature';
import { enrolmentPath, readEnrolment, writeEnrolment, type Enrolment } from './enrolment-file.ts';

export interface EnrolWish {
  readonly home: string;
  readonly apiUrl: string;
  /** Enrolment token; left out, nothing is asked. */
  readonly token: string | undefined;
  readonly host: string;
}

/**
 * Enrols this host: makes its key, whose private half stays here, and stores what the API gives for it.
 *
 * @throws Error with a sentence when the API refuses or cannot be reached, or the file cannot be written
 */
export async function enrol({ home, apiUrl, token, host }: EnrolWish): Promise<Enrolment> {
  const { privateKey, publicKey } = makeHostKeys();
  const client = createClient({ baseUrl: apiUrl, token });
  const made = await client.enrolWorker({ host, publicKey }).catch((cause: unknown) => {
    throw new Error(`this host did not enrol as "${host}" at ${apiUrl}: ${messageOf(cause)}`, { cause });
  });
  const { hostId, pool, workerToken, redis } = made;
  const enrolment: Enrolment = { version: 1, apiUrl, hostId, host: made.host, pool, workerToken, privateKey, redis };
  await writeEnrolment(home, enrolment);
  return enrolment;
}

/**
 * Enrols this host at a start unless it is enrolled. An enrolment that the API does not know any more, because its database is a new one, is
 * replaced; while the API cannot be asked, the enrolment that is there counts.
 *
 * @returns whether it enrolled now
 */
export async function enrolOnce(wish: EnrolWish): Promise<boolean> {
  const known = readEnrolment(wish.home);
  if (known !== undefined && hostKey(known.host) === hostKey(wish.host) && (await isKnown(known, wish.apiUrl)))
    return false;
  await enrol(wish);
  return true;
}

async function isKnown({ workerToken }: Enrolment, apiUrl: string): Promise<boolean> {
  try {
    await createClient({ baseUrl: apiUrl, token: workerToken }).getEnrolledWorker();
    return true;
  } catch (error) {
    return !(error instanceof ApiError && error.status === 401);
  }
}

/** For people. */
export const enrolledSentence = ({ host, pool, apiUrl }: Enrolment, home: string): string =>
  `enrolled as "${host}"${pool ? ', also for jobs of the pool,' : ''} at ${apiUrl}; kept in ${enrolmentPath(home)}. Start it with: haulier worker run`;
