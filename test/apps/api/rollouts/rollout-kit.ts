import { randomUUID } from 'node:crypto';
import type { CreateRolloutInput } from '#contracts/http/rollouts/create-rollout';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutHost, RolloutHostList } from '#contracts/http/rollouts/rollout-lists';
import { ROLLOUT_HOST_EVENTS, ROLLOUT_HOST_STATES, nextRolloutHostState } from '#core/rollout/host-state';
import { ROLLOUT_EVENTS, ROLLOUT_STATES, nextRolloutState } from '#core/rollout/rollout-state';
import { silentLogger } from '#core/logger';
import { conductAll } from '../../../../apps/api/rollouts/conductor.ts';
import { recordBatches } from '../../../../apps/api/background/recorder.ts';
import { steppedClock } from '../../../helpers/stepped-clock.ts';
import { startApp, type Answer, type TestApp, type TestAppOptions } from '../start-app.ts';

/** The API with a clock that a test moves, and hosts that do what a test says. */
export interface RolloutKit {
  readonly api: TestApp;
  /** Moves the clock of the API; milliseconds. */
  pass(ms: number): void;
  /** Workers that report now. */
  report(hosts: readonly string[], labels?: Record<string, string>, timeZone?: string): Promise<void>;
  post(body: Partial<CreateRolloutInput>, headers?: Record<string, string>, query?: string): Promise<Answer>;
  /** Creates a rollout and lets the conductor look at it. */
  create(body: Partial<CreateRolloutInput>): Promise<Rollout>;
  conduct(): Promise<void>;
  get(id: string): Promise<Rollout>;
  act(id: string, action: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
  hosts(id: string, query?: string): Promise<RolloutHost[]>;
  /** Names of the hosts of a rollout that stand in a state. */
  namesIn(id: string, state: RolloutHost['state']): Promise<string[]>;
  /** The worker of each host says that its open downloads ended so, and the conductor looks. */
  end(hosts: readonly string[], how: 'success' | 'cache_hit' | 'failed', errorKind?: string): Promise<void>;
  /** The workers of hosts that were told to show the models answer, and the conductor looks. @returns hosts that were told */
  answer(
    failure?: { readonly errorKind: string; readonly message: string },
    only?: readonly string[],
  ): Promise<string[]>;
  /** Nothing is heard of these hosts any more. */
  silence(hosts: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Raises on every move that the state tables of core do not have; every test of the kit runs under it. */
const WATCH_SQL = [
  ['rollouts', ROLLOUT_STATES.flatMap((from) => ROLLOUT_EVENTS.map((event) => [from, nextRolloutState(from, event)]))],
  [
    'rollout_hosts',
    ROLLOUT_HOST_STATES.flatMap((from) =>
      ROLLOUT_HOST_EVENTS.map((event) => [from, nextRolloutHostState(from, event)]),
    ),
  ],
].map(([table, moves]) => {
  const legal = (moves as [string, string | undefined][])
    .filter(([, to]) => to !== undefined)
    .map((move) => move.join('>'));
  return `
    CREATE FUNCTION watch_${table}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.state <> NEW.state AND NOT (OLD.state || '>' || NEW.state) = ANY ('{${legal.join(',')}}') THEN
        RAISE EXCEPTION 'illegal move % to %', OLD.state, NEW.state;
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER watch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION watch_${table}();`;
});

const SHA256 = 'c'.repeat(64);

export const many = (count: number, prefix = 'gpu-'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`);

export async function startRollouts(options: Omit<TestAppOptions, 'now'> = {}): Promise<RolloutKit> {
  const clock = steppedClock();
  const api = await startApp({ ...options, now: clock.now });
  const { database, now } = api.deps;
  for (const sql of WATCH_SQL) await database.pool.query(sql);
  for (const version of ['1', '2']) {
    const files = ['a', 'b'].map((name) => ({ path: `${name}.bin`, sizeBytes: 1000, sha256: SHA256 }));
    await api.call('POST', '/api/models', { name: 'whisper', version, files });
  }
  // A round that fails is logged and tried again: here it fails the test.
  const warn = (facts: object): never => {
    throw new Error('a round failed', { cause: 'err' in facts ? facts.err : facts });
  };
  const conduct = (): Promise<void> => conductAll({ ...api.deps, log: { ...silentLogger, warn } });
  const get = async (id: string): Promise<Rollout> => (await api.call('GET', `/api/rollouts/${id}`)).json();
  const hosts = async (id: string, query = ''): Promise<RolloutHost[]> =>
    (await api.call('GET', `/api/rollouts/${id}/hosts?limit=500${query}`)).json<RolloutHostList>().hosts;
  const post: RolloutKit['post'] = (body, headers, query = '') =>
    api.call('POST', `/api/rollouts${query}`, { models: ['whisper@1'], selector: 'gpu=true', ...body }, headers);
  return {
    api,
    pass: clock.pass,
    report: async (names, labels = { gpu: 'true' }, timeZone = 'UTC') => {
      const at = now().getTime();
      const facts = { arch: 'x64', os: 'linux', memoryBytes: 1e9, gpus: 0, timeZone };
      const told = {
        inventoryDigest: 'd',
        storeBytes: 0,
        freeBytes: 1e9,
        fileCount: 0,
        workerVersion: '1',
        labels,
        facts,
      };
      const events = [{ type: 'host.report' as const, at, ...told }];
      const said = names.map((host) => ({
        version: 1 as const,
        host,
        bootId: randomUUID(),
        sequence: 0,
        sentAt: at,
        events,
      }));
      await recordBatches(api.deps, said);
    },
    post,
    create: async (body) => {
      const answer = await post(body);
      if (answer.statusCode !== 201) throw new Error(answer.body);
      const { id } = answer.json<Rollout>();
      await conduct();
      return get(id);
    },
    conduct,
    get,
    act: async (id, action, body, headers) => {
      const answer = await api.call('POST', `/api/rollouts/${id}/${action}`, body, headers);
      await conduct();
      return answer;
    },
    hosts,
    namesIn: async (id, state) => (await hosts(id, `&state=${state}`)).map(({ host }) => host),
    end: async (names, how, errorKind = 'exhausted') => {
      const sql = `UPDATE downloads SET status = $2, outcome = $3, error_kind = $4, error = $5, downloaded_bytes = total_bytes,
          completed_at = $6 WHERE host = ANY($1::text[]) AND status IN ('pending', 'in_progress', 'resuming', 'paused')`;
      const isFailed = how === 'failed';
      const outcome = isFailed ? 'all_layers_exhausted' : how === 'cache_hit' ? 'cache_hit' : 'primary_success';
      const error = isFailed ? [errorKind, 'no source could give it'] : [null, null];
      await database.pool.query(sql, [names, isFailed ? 'failed' : 'success', outcome, ...error, now()]);
      await conduct();
    },
    answer: async (failure, only) => {
      const sql = `SELECT rollout_id, host, activating_at FROM rollout_hosts
        WHERE state IN ('activating', 'unknown') AND activating_at IS NOT NULL AND activated_at IS NULL
          AND ($1::text[] IS NULL OR host = ANY($1)) ORDER BY host`;
      const { rows } = await database.pool.query(sql, [only ?? null]);
      const at = now().getTime();
      const { errorKind = null, message = null } = failure ?? {};
      const said = rows.map(({ rollout_id: rollout, host, activating_at: told }) => ({
        ...{ version: 1 as const, host, bootId: randomUUID(), sequence: 0, sentAt: at },
        events: [{ type: 'host.activated' as const, at, rollout, requestedAt: told.getTime(), errorKind, message }],
      }));
      await recordBatches(api.deps, said);
      await conduct();
      return rows.map(({ host }) => host);
    },
    silence: async (names) => {
      await database.pool.query('UPDATE hosts SET last_seen_at = $2 WHERE name = ANY($1::text[])', [
        names,
        new Date(0),
      ]);
    },
    stop: () => api.stop(),
  };
}
