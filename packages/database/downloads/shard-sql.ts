/**
 * The shard of a download's job, as `shardOf` of `packages/queue/keys.ts` computes it.
 *
 * @param host an expression of SQL
 */
export const shardSql = (host: string): string =>
  `CASE WHEN ${host} IS NULL THEN 'pool'
    ELSE (get_byte(sha256(convert_to(lower(${host}), 'UTF8')), 0) % 16)::text END`;

/** @returns a condition on downloads `d`, to be added to others with AND; '' when all shards are meant */
export const notInShardsSql = (shards: readonly string[], parameter: string): string =>
  shards.length === 0 ? '' : `AND ${shardSql('d.host')} <> ALL(${parameter}::text[])`;
