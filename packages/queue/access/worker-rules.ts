import { hostKey } from '#core/text/host-name';
import {
  answersKey,
  commandChannel,
  commandKey,
  disabledSourcesKey,
  downloadQueue,
  eventStreamKey,
  hostLockKey,
  limitsKey,
  maintenanceQueue,
  ordersKey,
  queueKey,
  sourceOrdersKey,
} from '../keys.ts';
import { WORKER_COMMANDS } from './worker-commands.ts';

/** An enrolled host, as far as Redis is concerned. */
export interface WorkerAccess {
  readonly prefix: string;
  readonly host: string;
  /** Runs jobs of the pool and checks of versions as well. */
  readonly mayPool: boolean;
  /** SHA-256 of the password, hexadecimal. */
  readonly passwordSha256: string;
}

/** @returns the name of the host's user in Redis; unique for each prefix, because installations may share a Redis */
export const workerUser = (prefix: string, host: string): string => `${userPrefix(prefix)}${hostKey(host)}`;

/** What the names of all these users begin with. */
export const userPrefix = (prefix: string): string => `${prefix}:worker:`;

/**
 * The rules of a host's user, for ACL SETUSER: its own queue, lock and orders; its limits and commands to read; and to append to the event
 * stream. The stream has a selector of its own, so that no other command reaches it.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ selectors and key permissions need Redis 7.0
 */
export function workerRules({ prefix, host, mayPool, passwordSha256 }: WorkerAccess): string[] {
  const queues = [
    downloadQueue(prefix, host),
    ...(mayPool ? [downloadQueue(prefix, null), maintenanceQueue(prefix)] : []),
  ];
  const own = [hostLockKey(prefix, host), ordersKey(prefix, host), ...(mayPool ? [answersKey(prefix)] : [])];
  const channels = [
    ordersKey(prefix, host),
    ...[host, ...(mayPool ? [null] : [])].map((one) => commandChannel(prefix, one)),
  ];
  const commands = [host, ...(mayPool ? [null] : [])].map((one) => `${asPattern(commandKey(prefix, one, ''))}*`);
  const toRead = [
    asPattern(limitsKey(prefix, host)),
    asPattern(answersKey(prefix)),
    asPattern(disabledSourcesKey(prefix)),
    asPattern(sourceOrdersKey(prefix)),
    ...commands,
  ];
  return [
    ...['reset', 'on', `#${passwordSha256}`],
    ...queues.map((queue) => `~${asPattern(`${queueKey(queue)}:`)}*`),
    ...own.map((key) => `~${asPattern(key)}`),
    ...toRead.map((pattern) => `%R~${pattern}`),
    ...channels.map((channel) => `&${asPattern(channel)}`),
    ...WORKER_COMMANDS.map((command) => `+${command}`),
    `(+xadd %W~${asPattern(eventStreamKey(prefix))})`,
  ];
}

/** A prefix is chosen by the operator and may have characters that patterns of Redis give a meaning. */
const asPattern = (text: string): string => text.replace(/[*?[\]^\\]/g, '\\$&');
