import { MINUTE_MS, SECOND_MS } from '#core/units';
import { enrolledHosts, keysOfHosts, type HostKeyRow } from '#database/access/host-keys';
import { workerUser, type WorkerAccess } from '#queue/access/worker-rules';
import {
  AccessUnavailableError,
  deleteWorkerUsers,
  listWorkerUsers,
  redisRunId,
  setWorkerUsers,
} from '#queue/access/worker-users';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';

type AccessDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix'>;

const accessOf = (prefix: string, { host, mayPool, redisPassword }: HostKeyRow): WorkerAccess => ({
  ...{ prefix, host, mayPool, passwordSha256: redisPassword },
});

/** Makes the user of a host in Redis what Postgres says: there with its password, or gone with its connections. */
export async function applyAccess({ database, queues, prefix }: AccessDeps, host: string): Promise<void> {
  const key = (await keysOfHosts(database, [host])).get(host);
  if (key?.revokedAt === null) await setWorkerUsers(queues.redis, [accessOf(prefix, key)]);
  else await deleteWorkerUsers(queues.redis, [workerUser(prefix, host)]);
}

/** A Redis that cannot keep hosts apart is told to the caller with what it would need. */
export async function asProblem<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof AccessUnavailableError)) throw cause;
    throw new RequestError('enrolment-unavailable', cause.message, { cause });
  }
}

const LOOK_EVERY_MS = 2 * SECOND_MS;

/**
 * Keeps the users of enrolled hosts in Redis, which forgets them when it starts again and does not copy them to a replica. Each process
 * does it; the work is the same in all of them.
 */
export function createAccessKeeper(deps: AccessDeps & Pick<Dependencies, 'log'>): Loop {
  const keeper = new AccessKeeper(deps);
  return createLoop({
    name: 'access',
    everyMs: LOOK_EVERY_MS,
    log: deps.log,
    round: async () => {
      await keeper.round();
      return false;
    },
  });
}

class AccessKeeper {
  readonly #deps: AccessDeps & Pick<Dependencies, 'log'>;
  #runId: string | undefined;
  #lookedAt = -Infinity;
  /** Users without a key at the look before: their host may have been about to enrol. */
  #leftOver: ReadonlySet<string> = new Set();
  /** A host enrolled since the start: until then this Redis need not know ACL. */
  #isUsed = false;
  #isSet = false;
  #isToldUnavailable = false;

  constructor(deps: AccessDeps & Pick<Dependencies, 'log'>) {
    this.#deps = deps;
  }

  async round(): Promise<void> {
    const runId = await redisRunId(this.#deps.queues.redis);
    if (runId === this.#runId && performance.now() - this.#lookedAt < MINUTE_MS) return;
    try {
      await this.#look();
    } catch (error) {
      if (!(error instanceof AccessUnavailableError)) throw error;
      if (!this.#isToldUnavailable)
        this.#deps.log.warn({ reason: error.message }, 'enrolled hosts have no access to Redis');
      this.#isToldUnavailable = true;
    }
    this.#runId = runId;
    this.#lookedAt = performance.now();
  }

  /** The first look also brings the rules of this release. */
  async #look(): Promise<void> {
    const { database, queues, prefix, log } = this.#deps;
    const enrolled = await enrolledHosts(database);
    if (enrolled.length === 0 && !this.#isUsed) return;
    this.#isUsed = true;
    const wanted = new Map(enrolled.map((key) => [workerUser(prefix, key.host), key]));
    const present = new Set(await listWorkerUsers(queues.redis, prefix));
    const missing = [...wanted].filter(([user]) => !this.#isSet || !present.has(user));
    await setWorkerUsers(
      queues.redis,
      missing.map(([, key]) => accessOf(prefix, key)),
    );
    this.#isSet = true;
    const leftOver = new Set([...present].filter((user) => !wanted.has(user)));
    const gone = [...leftOver].filter((user) => this.#leftOver.has(user));
    await deleteWorkerUsers(queues.redis, gone);
    this.#leftOver = leftOver;
    if (missing.length + gone.length > 0)
      log.info({ given: missing.length, taken: gone.length }, 'access of enrolled hosts to Redis is up to date');
  }
}
