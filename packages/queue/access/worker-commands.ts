/**
 * Commands that the worker of an enrolled host may run, on its own keys. Most are those of BullMQ's scripts; INFO, TIME and PING are
 * for the check at its start. What touches every key or the server (KEYS, SCAN, FLUSHALL, CONFIG, MONITOR, CLIENT LIST, PUBLISH)
 * is left out. The blocking read, EVAL and the connection's own commands complete the list.
 */
export const WORKER_COMMANDS: readonly string[] = [
  ...[
    'bzpopmin',
    'client|getname',
    'client|id',
    'client|setname',
    'discard',
    'eval',
    'evalsha',
    'exec',
    'info',
    'multi',
  ],
  ...['ping', 'script|load', 'select', 'subscribe', 'time', 'unsubscribe'],
  ...[
    'del',
    'exists',
    'expire',
    'get',
    'incr',
    'incrby',
    'mget',
    'persist',
    'pexpire',
    'pexpireat',
    'pttl',
    'rename',
    'set',
  ],
  ...['ttl', 'type', 'unlink'],
  ...['hdel', 'hexists', 'hget', 'hgetall', 'hincrby', 'hlen', 'hmget', 'hmset', 'hset'],
  ...['lindex', 'llen', 'lpop', 'lpos', 'lpush', 'lrange', 'lrem', 'lset', 'ltrim', 'rpop', 'rpoplpush', 'rpush'],
  ...['sadd', 'scard', 'sismember', 'smembers', 'srem'],
  ...['xadd', 'xdel', 'xlen', 'xrange', 'xread', 'xtrim'],
  ...['zadd', 'zcard', 'zcount', 'zlexcount', 'zpopmin', 'zrange', 'zrangebylex', 'zrangebyscore', 'zrem'],
  ...['zremrangebyrank', 'zremrangebyscore', 'zrevrange', 'zrevrangebyscore', 'zscore'],
];
