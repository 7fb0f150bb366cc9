import type { Logger } from '#core/logger';
import { isCluster, type RedisClient } from './connection.ts';
import type { Shard } from './keys.ts';

/** What became of the work on one shard. */
export type ShardOutcome<Result> =
  { readonly shard: Shard; readonly result: Result } | { readonly shard: Shard; readonly error: unknown };

/**
 * Knows which shards of a cluster do not answer, so that their hosts wait and the others go on. One Redis has all shards:
 * it answers or it does not, and every error is the caller's.
 */
export class ShardStates {
  readonly #redis: RedisClient;
  readonly #logger: Logger;
  readonly #away = new Set<Shard>();

  constructor(redis: RedisClient, logger: Logger) {
    this.#redis = redis;
    this.#logger = logger;
  }

  /** Shards whose last command failed; `readEpochs` asks all of them every second, and thereby finds those that are back. */
  away(): readonly Shard[] {
    return [...this.#away];
  }

  /**
   * Does the work on each shard, all at once.
   *
   * @throws Error of the first shard when the work failed on all of them, or on any in the absence of a cluster
   */
  async onEach<Part, Result>(
    parts: ReadonlyMap<Shard, Part>,
    work: (part: Part, shard: Shard) => Promise<Result>,
  ): Promise<ShardOutcome<Result>[]> {
    const outcomes = await Promise.all([...parts].map(([shard, part]) => this.#on(shard, () => work(part, shard))));
    const failed = outcomes.filter((outcome) => 'error' in outcome);
    const [first] = failed;
    if (first !== undefined && (failed.length === outcomes.length || !isCluster(this.#redis))) throw first.error;
    return outcomes;
  }

  async #on<Result>(shard: Shard, work: () => Promise<Result>): Promise<ShardOutcome<Result>> {
    try {
      const result = await work();
      if (this.#away.delete(shard)) this.#logger.info({ shard }, 'shard of the redis cluster is back');
      return { shard, result };
    } catch (error) {
      if (isCluster(this.#redis) && !this.#away.has(shard)) {
        this.#away.add(shard);
        this.#logger.warn(
          { shard, err: error },
          'shard of the redis cluster is away: its hosts wait, the others go on',
        );
      }
      return { shard, error };
    }
  }
}

/** @returns the items by their shard, in their order */
export function groupByShard<Item>(items: readonly Item[], shardOfItem: (item: Item) => Shard): Map<Shard, Item[]> {
  const groups = new Map<Shard, Item[]>();
  for (const item of items) {
    const shard = shardOfItem(item);
    const group = groups.get(shard);
    if (group === undefined) groups.set(shard, [item]);
    else group.push(item);
  }
  return groups;
}
