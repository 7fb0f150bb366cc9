import {
  CreateTokenBody,
  ListTokensQuery,
  NewToken,
  Token,
  TokenList,
  TokenParams,
} from '#contracts/http/access/tokens';
import { createToken, pageOfTokens, revokeUnlessLast, tokenById } from '#database/access/token-queries';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { decodeCursor, encodeCursor, pageFrom } from '../server/requests/cursor.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { hashOfToken, pepperOf, type Authenticator } from './authenticate.ts';
import { noteForAudit } from './audit/audit-writes.ts';
import { makeToken } from './token-format.ts';
import { tokenView } from './token-view.ts';

const documented = { tags: ['access'], security: TOKEN_REQUIRED };

export function registerTokenRoutes(app: App, deps: Dependencies, authenticator: Authenticator): void {
  registerCreate(app, deps);
  registerList(app, deps);
  registerRevoke(app, deps, authenticator);
}

function registerCreate(app: App, deps: Dependencies): void {
  app.post(
    '/api/tokens',
    {
      ...guardedBy('admin'),
      schema: {
        ...documented,
        operationId: 'createToken',
        summary: 'Make a token; the answer is the only place where it is shown',
        description:
          'With `models` or `selector` the token may ask for downloads and rollouts of these models on these hosts, steer those, and read ' +
          'what its scopes allow; every other write is refused.',
        body: CreateTokenBody,
        response: { 201: NewToken, ...problems(400, 415) },
      },
    },
    async (request, reply) => {
      const { database, now } = deps;
      const { name, kind, scopes, expiresIn, models, selector } = request.body;
      const at = now();
      const token = makeToken(kind);
      const row = await createToken(
        database,
        {
          ...{ name, kind, models, scopes: [...new Set(scopes)] },
          hash: hashOfToken(token, await pepperOf(database, at)),
          last4: token.slice(-4),
          selector: selector || undefined,
          expiresAt: expiresIn === undefined ? undefined : new Date(at.getTime() + expiresIn),
          createdBy: request.caller!.name,
        },
        at,
      );
      const view = tokenView(row, at);
      noteForAudit(request, { target: `tokens/${row.id}`, after: view });
      return reply.code(201).send({ ...view, token });
    },
  );
}

function registerList(app: App, deps: Dependencies): void {
  app.get(
    '/api/tokens',
    {
      ...guardedBy('admin'),
      schema: {
        ...documented,
        operationId: 'listTokens',
        summary: 'Tokens, newest first; those that can be used, unless `?state` says otherwise',
        querystring: ListTokensQuery,
        response: { 200: TokenList, ...problems(400) },
      },
    },
    async ({ query: { state, cursor, limit } }) => {
      const now = deps.now();
      const after = cursor === undefined ? undefined : decodeCursor(cursor);
      const found = await pageOfTokens(deps.database, { state, limit, after, now });
      const { rows, nextCursor } = pageFrom(found, limit, encodeCursor);
      return { tokens: rows.map((row) => tokenView(row, now)), nextCursor };
    },
  );
}

function registerRevoke(app: App, deps: Dependencies, authenticator: Authenticator): void {
  app.delete(
    '/api/tokens/:id',
    {
      ...guardedBy('admin'),
      schema: {
        ...documented,
        operationId: 'revokeToken',
        summary: 'Revoke a token; it is refused at once here, and within seconds by other API processes',
        description:
          'Repeating it changes nothing. The last admin token is kept, because no request could make another one.',
        params: TokenParams,
        response: { 200: Token, ...problems(400, 404, 409) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { database, now } = deps;
      const before = await tokenById(database, id);
      const done = await revokeUnlessLast(database, id, now());
      if (done === 'missing' || before === undefined)
        throw new RequestError('unknown-token', `there is no token ${id}; GET /api/tokens lists them`);
      if (done === 'kept')
        throw new RequestError('illegal-move', `"${before.name}" is the last admin token: make another one first`);
      authenticator.forget(id);
      const view = tokenView((await tokenById(database, id))!, now());
      noteForAudit(request, { before: tokenView(before, now()), after: view });
      return view;
    },
  );
}
