import { AuditList, ListAuditQuery, type AuditEntry } from '#contracts/http/access/audit';
import { listAudit, type AuditRow } from '#database/access/audit-queries';
import type { Dependencies } from '../../dependencies.ts';
import type { App } from '../../server/app-type.ts';
import { badCursor, decodeName, encodeName, pageFrom } from '../../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../../server/describe.ts';
import { momentOf } from '../../server/requests/moment.ts';

export function registerAuditRoutes(app: App, deps: Dependencies): void {
  app.get(
    '/api/audit',
    {
      ...guardedBy('admin'),
      schema: {
        operationId: 'listAudit',
        summary: 'Every write: which token, what, and how it ended; newest first',
        description: 'Refused writes are there too. Requests without a valid token are not: the log has them.',
        tags: ['access'],
        security: TOKEN_REQUIRED,
        querystring: ListAuditQuery,
        response: { 200: AuditList, ...problems(400) },
      },
    },
    async ({ query }) => {
      const { cursor, since, until, limit, ...filter } = query;
      const before = cursor === undefined ? undefined : sequenceOf(cursor);
      const times = {
        since: since === undefined ? undefined : new Date(since),
        until: until === undefined ? undefined : new Date(until),
      };
      const found = await listAudit(deps.database, { ...filter, ...times, before, limit });
      const { rows, nextCursor } = pageFrom(found, limit, ({ sequence }) => encodeName(String(sequence)));
      return { entries: rows.map(entryOf), nextCursor };
    },
  );
}

function sequenceOf(cursor: string): number {
  const text = decodeName(cursor);
  if (!/^\d{1,15}$/.test(text)) throw badCursor(cursor);
  return Number(text);
}

const entryOf = (row: AuditRow): AuditEntry => ({
  ...row,
  at: momentOf(row.at),
  status: row.status === 0 ? null : row.status,
  result: row.result ?? 'unknown',
});
