import { SECOND_MS } from '#core/units';
import { connect, type Database, type DatabaseOptions } from './connect.ts';
import { readSetting, writeSetting } from './setting-queries.ts';

/** Where lists are read. */
export interface ListSource {
  readonly database: Database;
  /** What it says may be this much older than the database itself, milliseconds; undefined for that one. */
  readonly ageMs: number | undefined;
}

export interface ListReader {
  /** The replica while it can be read and is not too old, else the database itself. */
  source(): Promise<ListSource>;
  /** Writes the mark by which the age of the replica is measured; does nothing where there is none. */
  beat(): Promise<void>;
  /** Safe twice. */
  close(): Promise<void>;
}

/** A replica that is further behind is not read. */
export const MAX_AGE_MS = 30 * SECOND_MS;
/** How long a measurement of the age counts. */
const MEASURED_FOR_MS = SECOND_MS;
const CONNECT_TIMEOUT_MS = 2 * SECOND_MS;

export interface ReplicaOptions extends Omit<DatabaseOptions, 'connectTimeoutMs'> {
  readonly now: () => Date;
}

/** Lists are read where everything is written. */
export const withoutReplica = (database: Database): ListReader => ({
  source: async () => ({ database, ageMs: undefined }),
  beat: async () => undefined,
  close: async () => undefined,
});

/**
 * Reads lists from a replica. Its age is that of a mark which this process writes into the database, so it holds for
 * every kind of replication, and for a replica that is cut off; it is too high by the pause between two marks.
 */
export function withReplica(primary: Database, { now, ...options }: ReplicaOptions): ListReader {
  const { logger } = options;
  const replica = connect({ ...options, connectTimeoutMs: CONNECT_TIMEOUT_MS });
  let measured: { readonly at: number; readonly mark: Promise<number | undefined> } | undefined;
  let isRead = true;
  const measure = async (): Promise<number | undefined> => {
    try {
      return Number(await readSetting(replica, 'replica_mark')) || undefined;
    } catch (err) {
      logger.debug({ err }, 'read replica does not answer');
      return undefined;
    }
  };
  const note = (isFresh: boolean, ageMs: number | undefined): void => {
    if (isFresh === isRead) return;
    isRead = isFresh;
    if (isFresh) logger.info({ ageMs }, 'lists are read from the replica again');
    else logger.warn({ ageMs }, 'the read replica is away or too old: lists are read from the database itself');
  };
  return {
    async source() {
      const at = now().getTime();
      if (measured === undefined || at - measured.at >= MEASURED_FOR_MS) measured = { at, mark: measure() };
      const mark = await measured.mark;
      const ageMs = mark === undefined ? undefined : Math.max(0, now().getTime() - mark);
      const isFresh = ageMs !== undefined && ageMs <= MAX_AGE_MS;
      note(isFresh, ageMs);
      return isFresh ? { database: replica, ageMs } : { database: primary, ageMs: undefined };
    },
    beat: () => writeSetting(primary, 'replica_mark', String(now().getTime()), now()),
    close: () => replica.close(),
  };
}
