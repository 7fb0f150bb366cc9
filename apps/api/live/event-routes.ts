import { Readable } from 'node:stream';
import websocket from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import {
  AREA_OF_TOPIC,
  EVENT_ID,
  EVENT_TOPICS,
  EventsQuery,
  StreamedEvent,
  type EventTopic,
} from '#contracts/http/events';
import { allows } from '#core/scopes';
import { SECOND_MS } from '#core/units';
import type { Caller } from '../access/authenticate.ts';
import { TOKEN_REQUIRED, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { RequestError } from '../server/errors/request-error.ts';
import type { EventFilter } from './event-filter.ts';
import type { EventClient, EventHub, Prepared } from './event-hub.ts';

/** Connections of one process. */
const MAX_CLIENTS = 2000;
/** How long a client waits before it connects again. */
const RECONNECT_MS = 2 * SECOND_MS;
/** Closing codes of RFC 6455: going away, and a policy was violated. */
const GOING_AWAY = 1001;

const anyToken = { config: { scope: 'any' } } as const;

/** Live events over an event stream and over a WebSocket. Every event is at most as much as the token may read with GET. */
export async function registerEventRoutes(app: App, hub: EventHub): Promise<void> {
  await app.register(websocket, { options: { maxPayload: 1024, perMessageDeflate: false } });
  registerStream(app, hub);
  registerWebSocket(app, hub);
}

function registerStream(app: App, hub: EventHub): void {
  app.get(
    '/api/events',
    {
      ...anyToken,
      schema: {
        operationId: 'streamEvents',
        summary: 'What changes, as it changes (an event stream)',
        description:
          'Small notices, at most one a second about each thing: read what they name. After an interruption `Last-Event-ID` brings what ' +
          'was missed, or the event `reread`, which says that everything has to be read again. `/api/events/ws` sends the same events over ' +
          'a WebSocket.',
        tags: ['events'],
        security: TOKEN_REQUIRED,
        querystring: EventsQuery,
        response: {
          200: {
            description: 'Events, until one side ends it',
            content: { 'text/event-stream': { schema: StreamedEvent } },
          },
          ...problems(400),
        },
      },
    },
    async (request, reply) => {
      const filter = filterOf(request, request.query, EVENT_TOPICS);
      refuseTooMany(hub);
      const stream = new Readable({ read: () => undefined });
      const client = streamClient(stream, () => reply.raw.writableLength, filter, request.recheck);
      stream.push(`retry: ${RECONNECT_MS}\n\n`);
      joinUntil(hub, client, lastIdOf(request), (leave) => reply.raw.once('close', leave));
      const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };
      // The answer is a stream of events, which the type provider takes for one event.
      return reply.headers(headers).send(stream as unknown as z.infer<typeof StreamedEvent>);
    },
  );
}

function registerWebSocket(app: App, hub: EventHub): void {
  app.get(
    '/api/events/ws',
    {
      ...anyToken,
      websocket: true,
      schema: { hide: true, querystring: EventsQuery.extend({ lastEventId: z.string().regex(EVENT_ID).optional() }) },
      preHandler: async (request) => {
        refuseOtherSites(request);
        filterOf(request, request.query as EventsQuery, ['progress']);
        refuseTooMany(hub);
      },
    },
    (socket, request) => {
      const query = request.query as EventsQuery & { lastEventId?: string };
      const client = socketClient(socket, filterOf(request, query, ['progress']), request.recheck);
      joinUntil(hub, client, query.lastEventId, (leave) => socket.once('close', leave));
    },
  );
}

/** A connection that is gone before its client has joined leaves as soon as it has. */
function joinUntil(
  hub: EventHub,
  client: EventClient,
  lastId: string | undefined,
  onGone: (leave: () => void) => void,
): void {
  const joined = hub.join(client, lastId);
  onGone(() => void joined.then((leave) => leave()));
}

function streamClient(
  stream: Readable,
  unwritten: () => number,
  filter: EventFilter,
  recheck: FastifyRequest['recheck'],
): EventClient {
  return {
    filter,
    send: (events: Prepared, id) => void stream.push(events.stream(id)),
    // An id without data is remembered by the client and is no event (HTML standard, section 9.2.6).
    beat: (id) => {
      stream.push(`: alive\nid: ${id}\n\n`);
      return true;
    },
    isStillAllowed: async () => recheck === null || (await recheck()) !== undefined,
    unsentBytes: () => stream.readableLength + unwritten(),
    end: () => void stream.destroy(),
  };
}

function socketClient(socket: WebSocket, filter: EventFilter, recheck: FastifyRequest['recheck']): EventClient {
  let answered = true;
  socket.on('pong', () => (answered = true));
  // A client has nothing to say; an error is followed by `close`.
  socket.on('error', () => undefined);
  return {
    filter,
    send: (events: Prepared) => {
      for (const message of events.messages()) socket.send(message, { binary: false });
    },
    beat: () => {
      const wasAnswered = answered;
      answered = false;
      if (socket.readyState === socket.OPEN) socket.ping();
      return wasAnswered;
    },
    isStillAllowed: async () => recheck === null || (await recheck()) !== undefined,
    unsentBytes: () => socket.bufferedAmount,
    end: (why) => {
      socket.close(GOING_AWAY, why);
      if (socket.bufferedAmount > 0) socket.terminate();
    },
  };
}

/** @param usual topics when none are asked for; those that the token may not read are left out then */
function filterOf(request: FastifyRequest, query: EventsQuery, usual: readonly EventTopic[]): EventFilter {
  const { topics: asked, ...only } = query;
  const caller = request.caller!;
  const outside = asked?.find((topic) => !mayRead(caller, topic));
  const topics = asked ?? usual.filter((topic) => mayRead(caller, topic));
  if (outside !== undefined || topics.length === 0) throw mayNotRead(caller, outside ?? usual[0]!);
  return { ...only, topics };
}

const mayRead = ({ scopes }: Caller, topic: EventTopic): boolean => allows(scopes, 'read', AREA_OF_TOPIC[topic]);

const mayNotRead = ({ name, scopes }: Caller, topic: EventTopic): RequestError =>
  new RequestError(
    'forbidden',
    `the topic ${topic} needs a token with the scope "read" or "${AREA_OF_TOPIC[topic]}:read", and "${name}" has: ${scopes.join(', ') || 'none'}`,
  );

/** What no id of ours is leads to `reread`. */
function lastIdOf(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header !== 'string' || header === '') return undefined;
  return EVENT_ID.test(header) ? header : '0-0';
}

function refuseTooMany(hub: EventHub): void {
  if (hub.counts.clients < MAX_CLIENTS) return;
  throw new RequestError('unavailable', `this process has ${MAX_CLIENTS} connections for live events: try again later`);
}

/** A browser sends cookies with WebSockets of any page, so only pages of this API may open one. */
function refuseOtherSites({ headers: { origin, host } }: FastifyRequest): void {
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host)
    throw new RequestError('forbidden', `the page that opens the WebSocket is of ${origin}, and the API is ${host}`);
}
