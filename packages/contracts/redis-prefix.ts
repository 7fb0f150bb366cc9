/** Start of every key. Braces make a Redis Cluster keep all of them in one slot, which MULTI and BullMQ's scripts need. */
export const DEFAULT_REDIS_PREFIX = '{haulier}';
