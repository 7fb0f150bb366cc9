import { z } from 'zod';
import { RefusedEventsList, RevokedHost } from '#contracts/http/access/enrolment';
import { HostParams } from '#contracts/http/hosts';
import { HostName } from '#contracts/worker/download-job';
import { revokeHost } from '#database/access/host-keys';
import { listRefusedEvents } from '#database/access/refused-events';
import { hostByName } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import { applyAccess, asProblem } from '../enrolment/host-access.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { momentOf } from '../server/requests/moment.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { unknownHost } from './unknown-host.ts';

const MAX_LISTED = 1000;

/** Taking a host's enrolment back, and what was not believed of hosts. */
export function registerRevoke(app: App, deps: Dependencies): void {
  app.post(
    '/api/hosts/:name/revoke',
    {
      ...guardedBy('admin'),
      schema: {
        operationId: 'revokeHost',
        summary:
          'Take the enrolment of a host back: its worker loses Redis and the API at once, and nothing is believed under its name',
        description:
          'What is wanted there stays until the host is forgotten. The host may enrol again with a new token. Repeating it changes nothing.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        response: { 200: RevokedHost, ...problems(400, 404, 409) },
      },
    },
    async ({ params }) => revoke(deps, params.name),
  );
  app.get(
    '/api/refused-events',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'listRefusedEvents',
        summary: 'Events of workers that were not believed, by host, reason and hour; latest first',
        description:
          '`unsigned`, `forged` and `revoked`: not from the host that they name. `replayed`: applied before, which also happens when an ' +
          'acknowledgement of Redis was lost. `foreign`: about a download of another host. An empty host is the pool.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        querystring: z.strictObject({ host: HostName.optional() }),
        response: { 200: RefusedEventsList, ...problems(400) },
      },
    },
    async ({ query }) => {
      const rows = await listRefusedEvents(deps.database, { host: query.host, limit: MAX_LISTED });
      const refused = rows.map((row) => ({
        ...row,
        ...{ hour: momentOf(row.hour), firstAt: momentOf(row.firstAt), lastAt: momentOf(row.lastAt) },
      }));
      return { refused };
    },
  );
}

/** Postgres comes first: it decides what is believed, and the keeper takes the user away where Redis is down now. */
async function revoke(deps: Dependencies, name: string): Promise<RevokedHost> {
  const { database, now } = deps;
  const revokedAt = await revokeHost(database, name, now());
  if (revokedAt === undefined) {
    const row = await hostByName(database, name);
    if (row === undefined) throw await unknownHost(database, name);
    throw new RequestError('not-enrolled', `the host "${row.shownName}" never enrolled: there is nothing to take back`);
  }
  await asProblem(applyAccess(deps, name));
  const row = await hostByName(database, name);
  return { name: row?.shownName ?? name, revokedAt: momentOf(revokedAt) };
}
