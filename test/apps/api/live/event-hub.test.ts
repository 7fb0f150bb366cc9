import { describe, expect, it, afterEach } from '@jest/globals';
import type { EventTopic, LiveEvent } from '#contracts/http/events';
import type { LiveChanges } from '#contracts/live';
import { silentLogger } from '#core/logger';
import { ChangeQueue, compareIds, type Thing } from '../../../../apps/api/live/change-queue.ts';
import { passes, type EventFilter } from '../../../../apps/api/live/event-filter.ts';
import { EventHub, type EventClient, type Prepared } from '../../../../apps/api/live/event-hub.ts';
import { until } from '../../../helpers/until.ts';

const host = (id: string): Thing => ({ kind: 'host', id });

describe('what is told of one thing', () => {
  it('comes at most once a second, with its latest state', () => {
    let now = 0;
    const queue = new ChangeQueue(() => now, '1-0');
    queue.add([host('a')], '2-0');
    expect(queue.take()).toEqual({ things: [host('a')], watermark: '2-0', nextMs: undefined });
    now = 400;
    queue.add([host('a'), host('b')], '3-0');
    queue.add([host('a')], '4-0');
    expect(queue.take()).toMatchObject({ things: [host('b')], nextMs: 600 });
    now = 1000;
    expect(queue.take()).toEqual({ things: [host('a')], watermark: '4-0', nextMs: undefined });
    now = 5000;
    expect(queue.take().things).toEqual([]);
  });

  it('lets a client resume before what is held back', () => {
    const queue = new ChangeQueue(() => 0, '1-0');
    queue.add([host('a')], '2-0');
    queue.take();
    queue.add([host('a')], '3-0');
    queue.add([host('b')], '4-0');
    expect(queue.take()).toMatchObject({ things: [host('b')], watermark: '2-0' });
  });

  it('is ordered by both parts of an id, as numbers', () => {
    expect(['10-0', '9-5', '9-10'].toSorted(compareIds)).toEqual(['9-5', '9-10', '10-0']);
  });
});

const changedHost = (id: string): LiveEvent => ({ type: 'host.changed', id });
const moved = (id: string, of: string | null): LiveEvent => ({
  ...{ type: 'download.changed', id, status: 'pending', host: of, model: null, version: null, file: 'a' },
});

describe('a filter', () => {
  const all: EventFilter = { topics: ['downloads', 'hosts', 'notices'] };
  const only = (more: Partial<EventFilter>): string[] =>
    [moved('d1', 'Gpu-1'), moved('d2', null), changedHost('gpu-1'), changedHost('gpu-2')]
      .filter((event) => passes(event, { ...all, ...more }))
      .map((event) => ('id' in event ? event.id : ''));

  it('lets events of its topics pass, of a host without case, and "reread" always', () => {
    expect(only({})).toEqual(['d1', 'd2', 'gpu-1', 'gpu-2']);
    expect(only({ topics: ['hosts'] })).toEqual(['gpu-1', 'gpu-2']);
    expect(only({ host: 'GPU-1' })).toEqual(['d1', 'gpu-1']);
    expect(only({ download: 'd2' })).toEqual(['d2', 'gpu-1', 'gpu-2']);
    expect(passes({ type: 'reread', reason: 'x' }, { topics: [] })).toBe(true);
  });
});

interface Listener extends EventClient {
  readonly got: LiveEvent[];
  readonly ids: string[];
  readonly ends: string[];
}

function listener(more: Partial<EventClient> = {}): Listener {
  const [got, ids, ends]: [LiveEvent[], string[], string[]] = [[], [], []];
  return {
    ...{ got, ids, ends, filter: { topics: ['hosts'] } },
    send: ({ events }: Prepared, id) => {
      got.push(...events);
      ids.push(id);
    },
    beat: () => true,
    isStillAllowed: async () => true,
    unsentBytes: () => 0,
    end: (why) => void ends.push(why),
    ...more,
  };
}

describe('the hub of live events', () => {
  let hub: EventHub;
  let looked: EventTopic[][];
  afterEach(() => hub.stop());

  function begin(more: object = {}): void {
    looked = [];
    const events = {
      of: async (things: readonly Thing[], wanted: ReadonlySet<EventTopic>) => {
        looked.push([...wanted]);
        return things.map(({ id }) => changedHost(id));
      },
    };
    hub = new EventHub({ events, logger: silentLogger, flushMs: 1, ...more });
    hub.begin([], '100-0');
  }
  const change = (id: string, hosts: string[], more: LiveChanges = {}): void =>
    hub.changed({ id, changes: { hosts, ...more } });
  const idsIn = ({ got }: Listener): string[] => got.map((event) => ('id' in event ? event.id : event.type));

  it('gives what changes to its clients, and looks nothing up while there is none', async () => {
    begin();
    change('101-0', ['unheard']);
    const one = listener();
    await hub.join(one, undefined);
    change('102-0', ['a']);
    await until(() => one.got.length === 1, { what: 'the event' });
    expect([idsIn(one), one.ids, looked]).toEqual([['a'], ['102-0'], [['hosts']]]);
  });

  it('M10 gives a client that resumes what it missed, once', async () => {
    begin();
    change('101-0', ['a', 'b']);
    change('102-0', ['b', 'c']);
    const back = listener();
    await hub.join(back, '101-0');
    expect([idsIn(back), back.ids]).toEqual([['b', 'c'], ['102-0']]);
  });

  it.each([
    ['is before the window', '99-0'],
    ['is later than anything told', '105-0'],
  ])('M10 says "reread" to a client whose last event %s', async (_case, lastId) => {
    begin();
    change('101-0', ['a']);
    const back = listener();
    await hub.join(back, lastId);
    expect(idsIn(back)).toEqual(['reread']);
  });

  it('keeps a bounded window', async () => {
    begin({ maxKeptThings: 2 });
    for (const id of ['101-0', '102-0', '103-0']) change(id, [`host of ${id}`]);
    const [early, late] = [listener(), listener()];
    await hub.join(early, '100-0');
    await hub.join(late, '101-0');
    expect(idsIn(early)).toEqual(['reread']);
    expect(idsIn(late)).toEqual(['host of 102-0', 'host of 103-0']);
  });

  it('tells everyone to read again when changes were lost, or cannot be looked up', async () => {
    begin();
    const one = listener();
    await hub.join(one, undefined);
    change('101-0', [], { reread: 'Redis was away' });
    expect(one.got).toEqual([{ type: 'reread', reason: 'Redis was away' }]);
    hub.stop();
    hub = new EventHub({
      events: { of: () => Promise.reject(new Error('Postgres is away')) },
      ...{ logger: silentLogger, flushMs: 1 },
    });
    const two = listener();
    await hub.join(two, undefined);
    change('101-0', ['a']);
    await until(() => two.got.length === 1, { what: 'the event' });
    expect(idsIn(two)).toEqual(['reread']);
  });

  it('M10 lets no client resume after events that are still on their way to it', async () => {
    let show: () => void = () => undefined;
    const shown = new Promise<void>((resolve) => (show = resolve));
    const events = { of: (things: readonly Thing[]) => shown.then(() => things.map(({ id }) => changedHost(id))) };
    begin({ events, heartbeatMs: 1 });
    const beats: string[] = [];
    const one = listener({ beat: (id) => beats.push(id) > 0 });
    await hub.join(one, undefined);
    change('101-0', ['a']);
    await until(() => beats.length > 20, { what: 'beats before the event' });
    expect(new Set(beats)).toEqual(new Set(['100-0']));
    show();
    await until(() => beats.at(-1) === '101-0', { what: 'a beat after the event' });
    expect([idsIn(one), one.ids]).toEqual([['a'], ['101-0']]);
  });

  it('gives the same events to many clients, and none to those that leave meanwhile', async () => {
    begin();
    let leaveLast: () => void = () => undefined;
    await hub.join(listener({ send: () => leaveLast() }), undefined);
    const clients = Array.from({ length: 35 }, () => listener());
    for (const client of clients) leaveLast = await hub.join(client, undefined);
    change('101-0', ['a']);
    await until(() => clients.slice(0, -1).every(({ got }) => got.length === 1), { what: 'the event' });
    expect(clients.at(-1)!.got).toEqual([]);
  });

  it('M11 drops a client that does not keep up, and no other', async () => {
    begin({ maxUnsentBytes: 1000 });
    const [slow, quick] = [listener({ unsentBytes: () => 1001 }), listener()];
    await hub.join(slow, undefined);
    await hub.join(quick, undefined);
    change('101-0', ['a']);
    await until(() => quick.got.length === 1, { what: 'the event' });
    expect([slow.ends, quick.ends, hub.counts]).toEqual([['it did not keep up'], [], { clients: 1, dropped: 1 }]);
  });

  it('M12 ends the connection of a client whose token is not valid any more, or that does not answer', async () => {
    begin({ heartbeatMs: 1 });
    const revoked = listener({ isStillAllowed: async () => false });
    const gone = listener({ beat: (id) => id === '' });
    const unknown = listener({ isStillAllowed: () => Promise.reject(new Error('Postgres is away')) });
    for (const client of [revoked, gone, unknown]) await hub.join(client, undefined);
    await until(() => revoked.ends.length > 0 && gone.ends.length > 0, { what: 'the ends' });
    expect([revoked.ends, gone.ends, unknown.ends]).toEqual([
      ['its token is not valid any more'],
      ['it did not answer'],
      [],
    ]);
  });

  it('ends all connections when it stops, also those that come later', async () => {
    begin();
    const [early, late] = [listener(), listener()];
    await hub.join(early, undefined);
    hub.stop();
    await hub.join(late, undefined);
    expect([early.ends, late.ends]).toEqual([['the API stops'], ['the API stops']]);
  });
});
