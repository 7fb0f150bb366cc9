import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { Logger } from '#core/logger';
import { PrismaClient } from '../generated/client.ts';

/** One pool, seen by SQL and by Prisma: the limit of connections holds for both together. */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** Waits for running statements; safe twice. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgresql://user:password@host:port/database` */
  readonly url: string;
  /** Most connections at once; integer >= 1. */
  readonly poolSize: number;
  readonly logger: Logger;
  /** Longest wait for a connection, in milliseconds; beyond it the statement fails. */
  readonly connectTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const INT8_OID = 20;

/** Opens no connection yet: the first statement does, so a database that is down fails the statement. */
export function connect(options: DatabaseOptions): Database {
  const pool = makePool(options);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    await prisma.$disconnect();
    await pool.end();
  };
  return { pool, prisma, close: () => (closing ??= closeAll()) };
}

/** A connection that dies, idle or checked out, is an event here: without listeners it would end the process. */
function makePool({ url, poolSize, logger, connectTimeoutMs = CONNECT_TIMEOUT_MS }: DatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: 'haulier',
    types: { getTypeParser: parserOf },
  });
  pool.on('error', (err) => logger.warn({ err }, 'idle database connection lost'));
  pool.on('connect', (client) => client.on('error', (err) => logger.warn({ err }, 'database connection lost')));
  return pool;
}

/** Counts of bytes and rows stay far under 2^53, so `bigint` columns are plain numbers. */
const parserOf: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as 'text');
