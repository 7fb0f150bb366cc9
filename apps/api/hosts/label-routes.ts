import { HostParams, LabelsBody } from '#contracts/http/hosts';
import { Host } from '#contracts/http/status';
import { labelsTag, patchLabels } from '#database/hosts/host-actions';
import { hostByName } from '#database/hosts/host-queries';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { changedMeanwhile, ifMatchOf } from '../server/requests/if-match.ts';
import { unknownHost } from './unknown-host.ts';
import { hostView } from './view.ts';

export function registerHostLabels(app: App, deps: Dependencies): void {
  app.patch(
    '/api/hosts/:name/labels',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'labelHost',
        summary: 'Set or remove labels of a host; null removes, what is left out stays',
        description:
          'Labels that are set here win over those of the worker (HAULIER_LABELS). With `If-Match` the change is refused ' +
          'when the labels changed since.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        body: LabelsBody,
        response: { 200: Host, ...problems(400, 404, 412) },
      },
    },
    async (request, reply) => {
      const { database } = deps;
      const { name } = request.params;
      const before = await hostByName(database, name);
      const row = await patchLabels(database, name, request.body, ifMatchOf(request));
      if (row === undefined)
        throw (await hostByName(database, name)) === undefined ? await unknownHost(database, name) : changedMeanwhile();
      noteForAudit(request, { before: before?.labels, after: row.labels });
      deps.nudgeConductor();
      deps.changes.notify([name], 'hosts');
      return reply.header('etag', `"${await labelsTag(database, name)}"`).send(hostView(row, deps));
    },
  );
}
