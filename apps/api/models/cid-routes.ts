import { CidList, CidParams, CidQuery, CidRecord } from '#contracts/http/cids';
import { cidByValue, cidsOfModel } from '#database/models/cid-queries';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/request-error.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { cidView } from './view.ts';

const documented = { tags: ['models'], security: TOKEN_REQUIRED };

/** RE14: which contents were ever had, since when, from where. */
export function registerCidRoutes(app: App, { database }: Dependencies): void {
  app.get(
    '/api/cids',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listCids',
        summary: 'Contents of a model that were had, newest first',
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
        summary: 'What is known of one content',
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
