/** Codes of Node, PostgreSQL (SQLSTATE) and Prisma for a server that is down, starting, stopping or full. */
const CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08000',
  '08001',
  '08003',
  '08004',
  '08006',
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
]);

/** Messages of both clients for errors without a code. */
const SENTENCES =
  /connection terminated|timeout exceeded when trying to connect|cannot use a pool after|can't reach database|server closed the connection|connection is closed|stream isn't writeable|command timed out|max retries per request|too many cluster redirections|cluster isn't ready|clusterdown|none of startup nodes|cluster is (ended|disconnected)/i;

const MAX_CAUSES = 5;

/** True when the error or one of its causes means that a needed server cannot be reached now. */
export function isUnavailable(error: unknown): boolean {
  let at = error;
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth += 1) {
    if ('code' in at && typeof at.code === 'string' && CODES.has(at.code)) return true;
    if (SENTENCES.test(at.message)) return true;
    if (at instanceof AggregateError && at.errors.some(isUnavailable)) return true;
    at = at.cause;
  }
  return false;
}
