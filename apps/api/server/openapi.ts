import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

const DESCRIPTION = `Puts model files on hosts and proves every byte.

Every request under \`/api\` carries a token, \`Authorization: Bearer haulier_pat_…\`, or the cookie of a session. Every answer that is not a
success is a problem document (RFC 9457) whose \`code\` is for programs and whose \`detail\` is for people. Answers say in
\`ratelimit-remaining\` how many requests the token has left until \`ratelimit-reset\` seconds from now; beyond, they are 429 with \`retry-after\`.`;

/** Must be registered before the routes, because it listens to them being added. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Haulier',
        version,
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'downloads', description: 'Files on their way to hosts' },
        { name: 'models', description: 'Models, their versions, and the files of each' },
        { name: 'hosts', description: 'Machines that have models, and their sites' },
        { name: 'rollouts', description: 'Versions on their way to many hosts, wave by wave' },
        { name: 'webhooks', description: 'Endpoints that are told what happens' },
        { name: 'events', description: 'What changes, as it changes' },
        { name: 'sources', description: 'Where files come from' },
        { name: 'swarm', description: 'Hosts that fetch one file together' },
        { name: 'metrics', description: 'What worked, from where, how fast' },
        { name: 'access', description: 'Tokens, users and sessions, and the audit of every write' },
        { name: 'system', description: 'Health' },
      ],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token; scopes are read, write and admin, or such as rollouts:write.',
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-haulier',
            description: 'The session of a user; without TLS on the own machine the cookie is named haulier-<port>.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (input) => {
      const document = jsonSchemaTransformObject(input);
      dropUnusedSchemas(document as WithSchemas);
      markOptionalBodies(document as WithPaths);
      return document;
    },
  });
}

/** `/openapi.json`; must be registered after the routes. */
export function registerOpenApiDocument(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

interface WithSchemas {
  readonly components?: { readonly schemas?: Record<string, unknown> };
}

/** The transform names every schema twice, once as an input; schemas without a reference are left out. */
function dropUnusedSchemas(document: WithSchemas): void {
  const text = JSON.stringify(document);
  const schemas = document.components?.schemas ?? {};
  for (const name of Object.keys(schemas))
    if (name.endsWith('Input') && !text.includes(`"#/components/schemas/${name}"`)) delete schemas[name];
}

interface WithPaths {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, { readonly requestBody?: RequestBody }>>>>;
}

interface RequestBody {
  required?: boolean;
  readonly content: Readonly<
    Record<string, { readonly schema?: { readonly anyOf?: readonly { readonly type?: string }[] } }>
  >;
}

/** A body that may be null may be left out; the transform describes every body as required. */
function markOptionalBodies({ paths = {} }: WithPaths): void {
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  for (const { requestBody } of operations) {
    const schemas = Object.values(requestBody?.content ?? {}).map(({ schema }) => schema);
    if (requestBody && schemas.some((schema) => schema?.anyOf?.some(({ type }) => type === 'null')))
      requestBody.required = false;
  }
}
