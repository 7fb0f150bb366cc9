import { CidList, CidParams, CidQuery, CidRecord } from '#contracts/http/cids';
import { cidByValue, cidsOfModel } from '#database/models/cid-queries';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { cidView } from './view.ts';

const documented = { tags: ['models'], security: TOKEN_REQUIRED };

/** Contents that were ever downloaded, with the time and the source. */
export function registerCidRoutes(app: App, { database }: Dependencies): void {
  app.get(
    '/api/cids',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listCids',
        summary: 'Contents of a model that were downloaded, newest first',
        querystring: CidQuery,
        response: { 200: CidList, ...problems(400) },
      },
    },
    async ({ query: { model, type, limit } }) => ({
      cids: (await cidsOfModel(database, model, type, limit)).map(cidView),
    }),
  );
  app.get(
    '/api/cids/:cid',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getCid',
        summary: 'One content by its CID',
        params: CidParams,
        response: { 200: CidRecord, ...problems(400, 404) },
      },
    },
    async ({ params: { cid } }) => {
      const row = await cidByValue(database, cid);
      if (row === undefined) throw new RequestError('unknown-cid', `no download of "${cid}" has succeeded yet`);
      return cidView(row);
    },
  );
}
