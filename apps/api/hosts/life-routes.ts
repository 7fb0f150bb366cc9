import { ForgottenHost, HostParams } from '#contracts/http/hosts';
import { Host } from '#contracts/http/status';
import { mapConcurrently } from '#core/async/map-concurrently';
import { forgetHost, setDraining } from '#database/hosts/host-actions';
import { hostByName } from '#database/hosts/host-queries';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import { applyAccess } from '../enrolment/host-access.ts';
import { stopJob } from '../downloads/stop-job.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { unknownHost } from './unknown-host.ts';
import { hostView, whyNotForgotten } from './view.ts';

/** Draining and forgetting hosts. */
export function registerHostLife(app: App, deps: Dependencies): void {
  registerDrain(app, deps, true, 'Let rollouts not begin with this host; what runs there goes on');
  registerDrain(app, deps, false, 'Let rollouts begin with this host again');
  app.delete(
    '/api/hosts/:name',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'forgetHost',
        summary: 'Forget a host that is gone; what is still wanted there is cancelled',
        description: 'Refused while the host is online: stop its worker first. A worker that comes back is a new host.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        response: { 200: ForgottenHost, ...problems(400, 404, 409) },
      },
    },
    async (request) => {
      const forgotten = await forget(deps, request.params.name);
      noteForAudit(request, { after: forgotten });
      return forgotten;
    },
  );
}

function registerDrain(app: App, deps: Dependencies, draining: boolean, summary: string): void {
  const action = draining ? 'drain' : 'undrain';
  app.post(
    `/api/hosts/:name/${action}`,
    {
      ...guardedBy('write'),
      schema: {
        operationId: `${action}Host`,
        summary,
        description: 'Repeating it changes nothing.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        response: { 200: Host, ...problems(400, 404) },
      },
    },
    async (request) => {
      const { params } = request;
      const before = await hostByName(deps.database, params.name);
      const row = await setDraining(deps.database, params.name, draining);
      if (row === undefined) throw await unknownHost(deps.database, params.name);
      noteForAudit(request, { before: { draining: before?.draining }, after: { draining: row.draining } });
      deps.nudgeConductor();
      deps.changes.notify([params.name], 'hosts');
      return hostView(row, deps);
    },
  );
}

const STOPPED_AT_ONCE = 16;

/** @throws RequestError `host-online` or `unknown-host` */
export async function forget(deps: Dependencies, name: string): Promise<ForgottenHost> {
  const { database, now } = deps;
  const silentSince = new Date(now().getTime() - deps.hostOfflineAfterMs);
  const ended = await forgetHost(database, name, silentSince, now());
  if (ended === undefined) {
    const row = await hostByName(database, name);
    if (row === undefined) throw await unknownHost(database, name);
    throw new RequestError('host-online', `${row.shownName} is not forgotten: ${whyNotForgotten(row, deps)}`);
  }
  await takeAccess(deps, name);
  await mapConcurrently(ended, STOPPED_AT_ONCE, (job) => stopJob(deps, job, 'cancel'));
  deps.changes.notify(ended.map(({ id }) => id));
  deps.changes.notify([name], 'hosts');
  return { name, cancelledDownloads: ended.length };
}

/** A Redis that is down keeps the user until the keeper takes it away; its key is forgotten already. */
async function takeAccess(deps: Dependencies, name: string): Promise<void> {
  await applyAccess(deps, name).catch((err: unknown) =>
    deps.log.info({ err, host: name }, 'the user of a forgotten host is still in Redis'),
  );
}
