import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { EnrolBody, Enrolled } from '#contracts/http/access/enrolment';
import { hostKey } from '#core/text/host-name';
import { usableEnrolmentToken } from '#database/access/enrolment-tokens';
import { enrolHost, keysOfHosts } from '#database/access/host-keys';
import { setWorkerUser } from '#queue/access/worker-users';
import { workerUser } from '#queue/access/worker-rules';
import { hashOfToken, pepperOf } from '../access/authenticate.ts';
import { makeToken, mayBeToken } from '../access/token-format.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { applyAccess, asProblem } from './host-access.ts';

type EnrolDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'now' | 'workerRedisUrl'>;

const PASSWORD_BYTES = 24;
const REFUSED = 'the enrolment token is unknown, used, expired, revoked or of another host: make a new one';

/**
 * Enrols a host: stores its key, and gives it a token for the API and a user in Redis that reaches nothing of other hosts. Redis
 * comes first, so that a token is used up only when the host can work.
 *
 * @throws RequestError for a token that cannot be used, a host that is enrolled, and a Redis that cannot keep hosts apart
 */
export async function enrolByToken(
  deps: EnrolDeps,
  token: string,
  { host: shownHost, publicKey }: EnrolBody,
): Promise<Enrolled> {
  const { database, queues, prefix, now, workerRedisUrl: url } = deps;
  const host = hostKey(shownHost);
  const pepper = await pepperOf(database, now());
  const tokenHash = hashOfToken(token, pepper);
  const row = mayBeToken(token) ? await usableEnrolmentToken(database, tokenHash, now()) : undefined;
  if (row === undefined || (row.host !== null && row.host !== host)) throw new RequestError('unauthenticated', REFUSED);
  if (row.host === null && (await keysOfHosts(database, [host])).get(host)?.revokedAt === null)
    throw alreadyEnrolled(shownHost);

  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const redisPassword = createHash('sha256').update(password).digest('hex');
  await asProblem(setWorkerUser(queues.redis, { prefix, host, mayPool: row.mayPool, passwordSha256: redisPassword }));
  const [id, workerToken, redisUser] = [randomUUID(), makeToken('wrk'), workerUser(prefix, host)];
  const workerTokenHash = hashOfToken(workerToken, pepper);
  const key = { id, host, shownHost, publicKey, redisUser, redisPassword, workerTokenHash };
  const outcome = await enrolHost(database, tokenHash, key, now());
  // Also where it succeeded: another process may have taken the user for one that is left over.
  await asProblem(applyAccess(deps, host));
  if (outcome === 'token-refused') throw new RequestError('unauthenticated', REFUSED);
  if (outcome === 'host-enrolled') throw alreadyEnrolled(shownHost);
  return {
    hostId: id,
    host: shownHost,
    pool: row.mayPool,
    workerToken,
    redis: { url, user: redisUser, password, prefix },
  };
}

const alreadyEnrolled = (host: string): RequestError =>
  new RequestError(
    'host-enrolled',
    `the host "${host}" is enrolled: revoke it first, or make a token for this host alone (haulier token create --enrol --host ${host})`,
  );
