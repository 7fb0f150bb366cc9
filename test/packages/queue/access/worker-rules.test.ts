import { describe, expect, it } from '@jest/globals';
import { workerRules, workerUser } from '#queue/access/worker-rules';

const access = { prefix: '{haulier}', host: 'GPU-1', mayPool: false, passwordSha256: 'a'.repeat(64) };

/** Every command that an enrolled host may run. A longer list needs a reason. */
const COMMANDS =
  `bzpopmin client|getname client|id client|setname cluster|info cluster|slots del discard eval evalsha exec exists expire get hdel
  hexists hget hgetall hincrby hlen hmget hmset hset incr incrby info lindex llen lpop lpos lpush lrange lrem lset ltrim
  mget multi persist pexpire pexpireat ping pttl rename rpop rpoplpush rpush sadd scard script|load select set
  sismember smembers srem subscribe time ttl type unlink unsubscribe xadd xdel xlen xrange xread xtrim zadd zcard
  zcount zlexcount zpopmin zrange zrangebylex zrangebyscore zrem zremrangebyrank zremrangebyscore zrevrange
  zrevrangebyscore zscore`.split(/\s+/);

describe('the rules of an enrolled host in Redis', () => {
  it('N43 name its own keys, and the event stream to append to alone', () => {
    const rules = workerRules(access).filter((rule) => !rule.startsWith('+'));
    expect(rules).toEqual([
      ...['reset', 'on', `#${'a'.repeat(64)}`],
      ...['~{haulier-15}:downloads.gpu-1:*', '~{haulier-15}:worker:gpu-1', '~{haulier-15}:orders:gpu-1'],
      ...['%R~{haulier-15}:limits:gpu-1', '%R~{haulier-maintenance}:version-answers'],
      ...['%R~{haulier-maintenance}:disabled-sources', '%R~{haulier-maintenance}:source-orders'],
      ...['%R~{haulier-15}:commands:gpu-1:*', '&{haulier-15}:orders:gpu-1', '&{haulier-15}:commands:gpu-1'],
      '(+xadd %W~{haulier-events}:events)',
    ]);
  });

  it('N43 allow these commands and no others', () => {
    const commands = workerRules(access).filter((rule) => rule.startsWith('+'));
    expect(commands.map((rule) => rule.slice(1)).sort()).toEqual([...COMMANDS].sort());
  });

  it('N43 of a host that may serve the pool name the keys of pool and maintenance too', () => {
    const more = workerRules({ ...access, mayPool: true }).filter((rule) => !workerRules(access).includes(rule));
    expect(more).toEqual([
      ...['~{haulier-pool}:downloads:*', '~{haulier-maintenance}:maintenance:*'],
      ...['~{haulier-maintenance}:version-answers', '%R~{haulier-pool}:commands:*', '&{haulier-pool}:commands'],
    ]);
  });

  it('N43 give characters of patterns in the prefix no meaning', () => {
    const rules = workerRules({ ...access, prefix: 'a*[b]?' });
    expect(rules).toContain('~{a\\*\\[b\\]\\?-15}:downloads.gpu-1:*');
  });

  it('N43 have a user for each prefix and host', () => {
    expect(workerUser('{haulier}', 'GPU-1')).toBe('{haulier}:worker:gpu-1');
  });
});
