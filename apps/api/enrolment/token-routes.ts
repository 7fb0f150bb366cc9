import {
  CreateEnrolmentTokenBody,
  CreatedEnrolmentToken,
  EnrolmentToken,
  EnrolmentTokenList,
  EnrolmentTokenParams,
} from '#contracts/http/access/enrolment';
import { listEnrolmentTokens, revokeEnrolmentToken } from '#database/access/enrolment-tokens';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { enrolmentTokenView, makeEnrolmentToken } from './enrolment-tokens.ts';

const common = { tags: ['enrolment'], security: TOKEN_REQUIRED };

/** Tokens with which hosts enrol. */
export function registerEnrolmentTokens(app: App, { database, now }: Dependencies): void {
  app.post(
    '/api/enrolment-tokens',
    {
      ...guardedBy('admin'),
      schema: {
        ...common,
        operationId: 'createEnrolmentToken',
        summary: 'Make a token with which one host enrols, once',
        body: CreateEnrolmentTokenBody,
        response: { 201: CreatedEnrolmentToken, ...problems(400) },
      },
    },
    async ({ body, caller }, reply) => {
      const { row, token } = await makeEnrolmentToken({ database, now }, body, caller!.name);
      return reply.code(201).send({ ...enrolmentTokenView(row, now()), token });
    },
  );
  app.get(
    '/api/enrolment-tokens',
    {
      ...guardedBy('admin'),
      schema: {
        ...common,
        operationId: 'listEnrolmentTokens',
        summary: 'Tokens with which hosts enrol or enrolled, newest first',
        response: { 200: EnrolmentTokenList, ...problems() },
      },
    },
    async () => ({ tokens: (await listEnrolmentTokens(database)).map((row) => enrolmentTokenView(row, now())) }),
  );
  app.delete(
    '/api/enrolment-tokens/:id',
    {
      ...guardedBy('admin'),
      schema: {
        ...common,
        operationId: 'revokeEnrolmentToken',
        summary: 'Revoke a token that no host has used yet; repeating it changes nothing',
        params: EnrolmentTokenParams,
        response: { 200: EnrolmentToken, ...problems(400, 404) },
      },
    },
    async ({ params }) => {
      const row = await revokeEnrolmentToken(database, params.id, now());
      if (row === undefined) throw new RequestError('not-found', `there is no enrolment token ${params.id}`);
      return enrolmentTokenView(row, now());
    },
  );
}
