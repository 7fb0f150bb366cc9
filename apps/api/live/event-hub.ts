import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventTopic, LiveEvent } from '#contracts/http/events';
import type { LiveChanges, LivePosition } from '#contracts/live';
import type { Logger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { LiveEntry } from '#queue/live/live-stream';
import { ChangeQueue, compareIds, type Thing } from './change-queue.ts';
import { filterKey, passes, type EventFilter } from './event-filter.ts';
import type { LiveEvents } from './live-events.ts';

/** One connection of a client. */
export interface EventClient {
  readonly filter: EventFilter;
  /** @param id the client may resume from here */
  send(events: Prepared, id: string): void;
  /** Shows that the connection is in use, and what the client may resume from. @returns false when the client is gone */
  beat(id: string): boolean;
  /** False when the token of the client is not valid any more. */
  isStillAllowed(): Promise<boolean>;
  /** Bytes that the client has not taken yet. */
  unsentBytes(): number;
  /** Ends the connection. */
  end(why: string): void;
}

/** Events for clients with the same filter; each form is made once. */
export class Prepared {
  readonly events: readonly LiveEvent[];
  #stream: Buffer | undefined;
  #messages: readonly Buffer[] | undefined;

  constructor(events: readonly LiveEvent[]) {
    this.events = events;
  }

  /** As the text of an event stream; the last event carries the id. */
  stream(id: string): Buffer {
    this.#stream ??= Buffer.from(
      this.events
        .map((event, place) => {
          const idLine = place === this.events.length - 1 ? `id: ${id}\n` : '';
          return `${idLine}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
        })
        .join(''),
    );
    return this.#stream;
  }

  /** As messages of a WebSocket. */
  messages(): readonly Buffer[] {
    this.#messages ??= this.events.map((event) => Buffer.from(JSON.stringify(event)));
    return this.#messages;
  }
}

export interface EventHubOptions {
  readonly events: Pick<LiveEvents, 'of'>;
  readonly logger: Logger;
  /** Milliseconds between two looks at what is due; 200 by default. */
  readonly flushMs?: number;
  /** 15 s by default. */
  readonly heartbeatMs?: number;
  /** A client that has not taken this many bytes is dropped; 2 MiB by default. */
  readonly maxUnsentBytes?: number;
  /** Most things that are kept for clients that resume. */
  readonly maxKeptThings?: number;
}

const FLUSH_MS = 200;
const HEARTBEAT_MS = 15 * SECOND_MS;
const MAX_UNSENT_BYTES = 2 * 1024 * 1024;
const KEPT_MS = 5 * MINUTE_MS;
const MAX_KEPT_THINGS = 50_000;
/** Clients that are written to before other work has its turn: 100 clients with 100 kB each hold the event loop for 12 to 35 ms. */
const CLIENTS_A_TURN = 10;

interface Kept {
  readonly id: string;
  readonly things: readonly Thing[];
}

/** A client, and what came for it while its missed events were looked up. */
interface Connection {
  readonly client: EventClient;
  readonly key: string;
  held: { events: Prepared; id: string }[] | undefined;
}

const REREAD = (reason: string): LiveEvent => ({ type: 'reread', reason });

/**
 * Gives what changes to the clients of this process. A client that does not keep up is dropped; it resumes from the last id that it
 * saw, or is told to read again where that is too long ago.
 */
export class EventHub {
  readonly #options: EventHubOptions;
  readonly #connections = new Set<Connection>();
  #queue = new ChangeQueue(() => performance.now(), '0-0');
  /** What a client may resume from, oldest first; nothing is missing after `#since`. */
  #kept: Kept[] = [];
  #keptThings = 0;
  #since = '0-0';
  /** What clients may resume from while events are on their way to them. */
  #unsentFrom: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #stopped = false;
  #dropped = 0;

  constructor(options: EventHubOptions) {
    this.#options = options;
  }

  /** Clients that are connected, and those that were dropped because they did not keep up. */
  get counts(): { readonly clients: number; readonly dropped: number } {
    return { clients: this.#connections.size, dropped: this.#dropped };
  }

  /** Keeps these entries in place of those from before, which they do not follow without a gap. */
  begin(kept: readonly LiveEntry[], since: string): void {
    this.#kept = [];
    this.#keptThings = 0;
    this.#since = since;
    this.#queue = new ChangeQueue(() => performance.now(), kept.at(-1)?.id ?? since);
    for (const { id, changes } of kept) this.#keep(id, thingsOf(changes));
  }

  changed({ id, changes }: LiveEntry): void {
    const things = thingsOf(changes);
    this.#keep(id, things);
    if (changes.reread !== undefined) this.rereadAll(changes.reread);
    this.#queue.add(this.#connections.size === 0 ? [] : things, id);
    this.#plan();
  }

  moved(positions: readonly LivePosition[]): void {
    if (this.#connections.size === 0) return;
    this.#queue.add(positions.map((position) => ({ kind: 'position', id: position.id, position })));
    this.#plan();
  }

  /** Tells every client that it may have missed something. */
  rereadAll(reason: string): void {
    const events = new Prepared([REREAD(reason)]);
    for (const connection of this.#connections) this.#give(connection, events, this.#queue.lastId);
  }

  /**
   * Adds a client; it hears of what changes from now on, and of what changed since it was away.
   *
   * @param lastId that the client saw; undefined for a new client
   * @returns a function that takes the client away
   */
  async join(client: EventClient, lastId: string | undefined): Promise<() => void> {
    const connection: Connection = { client, key: filterKey(client.filter), held: [] };
    const leave = (): void => void this.#connections.delete(connection);
    if (this.#stopped) {
      client.end('the API stops');
      return leave;
    }
    this.#connections.add(connection);
    this.#heartbeat ??= setInterval(() => void this.#beat(), this.#options.heartbeatMs ?? HEARTBEAT_MS).unref();
    const upTo = this.#queue.lastId;
    const missed = await this.#missed(client.filter, lastId);
    const held = connection.held ?? [];
    connection.held = undefined;
    client.beat(upTo);
    if (missed.length > 0) this.#give(connection, new Prepared(missed), upTo);
    for (const { events, id } of held) this.#give(connection, events, id);
    return leave;
  }

  /** Ends all connections. Safe twice. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    for (const { client } of this.#connections) client.end('the API stops');
    this.#connections.clear();
  }

  async #missed(filter: EventFilter, lastId: string | undefined): Promise<LiveEvent[]> {
    if (lastId === undefined) return [];
    if (compareIds(lastId, this.#since) < 0 || compareIds(lastId, this.#queue.lastId) > 0)
      return [REREAD('the last event that was seen is too long ago')];
    const things = new Map<string, Thing>();
    for (const kept of this.#kept)
      if (compareIds(kept.id, lastId) > 0)
        for (const thing of kept.things) things.set(`${thing.kind} ${thing.id}`, thing);
    if (things.size === 0) return [];
    try {
      const events = await this.#options.events.of([...things.values()], new Set(filter.topics), true);
      return events.filter((event) => passes(event, filter));
    } catch (err) {
      this.#options.logger.debug({ err }, 'missed events could not be looked up');
      return [REREAD('what was missed could not be looked up')];
    }
  }

  #keep(id: string, things: readonly Thing[]): void {
    this.#kept.push({ id, things });
    this.#keptThings += things.length;
    const oldest = `${Number(id.split('-')[0]) - KEPT_MS}-0`;
    const most = this.#options.maxKeptThings ?? MAX_KEPT_THINGS;
    let drop = 0;
    while (drop < this.#kept.length - 1 && (this.#keptThings > most || compareIds(this.#kept[drop]!.id, oldest) < 0)) {
      this.#keptThings -= this.#kept[drop]!.things.length;
      drop += 1;
    }
    if (drop === 0) return;
    this.#since = this.#kept[drop - 1]!.id;
    this.#kept.splice(0, drop);
  }

  #plan(): void {
    if (this.#stopped || this.#connections.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#flush(), this.#options.flushMs ?? FLUSH_MS);
  }

  async #flush(): Promise<void> {
    this.#unsentFrom = this.#queue.watermark();
    const { things, watermark, nextMs } = this.#queue.take();
    await this.#deliver(things, watermark);
    this.#unsentFrom = undefined;
    this.#timer = undefined;
    if (nextMs !== undefined || this.#queue.hasWaiting) this.#plan();
  }

  async #deliver(things: readonly Thing[], watermark: string): Promise<void> {
    if (things.length === 0) return;
    const wanted = new Set([...this.#connections].flatMap(({ client }) => client.filter.topics));
    const events = await this.#eventsOf(things, wanted);
    const byFilter = new Map<string, Prepared>();
    for (const [place, connection] of [...this.#connections].entries()) {
      if (place > 0 && place % CLIENTS_A_TURN === 0) await nextTurn();
      if (!this.#connections.has(connection)) continue;
      const { key, client } = connection;
      let prepared = byFilter.get(key);
      if (prepared === undefined) {
        prepared = new Prepared(events.filter((event) => passes(event, client.filter)));
        byFilter.set(key, prepared);
      }
      if (prepared.events.length > 0) this.#give(connection, prepared, watermark);
    }
  }

  async #eventsOf(things: readonly Thing[], wanted: ReadonlySet<EventTopic>): Promise<LiveEvent[]> {
    try {
      return await this.#options.events.of(things, wanted);
    } catch (err) {
      this.#options.logger.debug({ err }, 'live events could not be looked up');
      return [REREAD('what changed could not be looked up')];
    }
  }

  #give(connection: Connection, events: Prepared, id: string): void {
    if (connection.held !== undefined) {
      connection.held.push({ events, id });
      return;
    }
    const { client } = connection;
    client.send(events, id);
    if (client.unsentBytes() <= (this.#options.maxUnsentBytes ?? MAX_UNSENT_BYTES)) return;
    this.#dropped += 1;
    this.#options.logger.info(
      { unsentBytes: client.unsentBytes() },
      'a client of live events did not keep up and was dropped',
    );
    this.#end(connection, 'it did not keep up');
  }

  async #beat(): Promise<void> {
    for (const connection of this.#connections) {
      const { client } = connection;
      if (connection.held !== undefined) continue;
      if (!client.beat(this.#unsentFrom ?? this.#queue.watermark())) this.#end(connection, 'it did not answer');
      // While the database is away nothing is known, and the connection stays.
      else if (!(await client.isStillAllowed().catch(() => true)))
        this.#end(connection, 'its token is not valid any more');
    }
  }

  #end(connection: Connection, why: string): void {
    this.#connections.delete(connection);
    connection.client.end(why);
  }
}

function thingsOf({ downloads = [], rollouts = [], hosts = [], sources = [], notices = [] }: LiveChanges): Thing[] {
  return [
    ...downloads.map((id) => ({ kind: 'download' as const, id })),
    ...rollouts.map((id) => ({ kind: 'rollout' as const, id })),
    ...hosts.map((id) => ({ kind: 'host' as const, id })),
    ...sources.map((event) => ({ kind: 'event' as const, id: `source ${event.id}`, event })),
    ...notices.map((event) => ({ kind: 'event' as const, id: JSON.stringify(event), event })),
  ];
}
