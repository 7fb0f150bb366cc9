import { afterEach, describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import type { Inventory, InventoryEntry } from '#store/inventory';
import type { Store } from '#store/open-store';
import { InventoryReporter } from '../../../../apps/worker/host/inventory-reporter.ts';
import { until } from '../../../helpers/until.ts';

type Page = Extract<WorkerEvent, { type: 'host.inventory' }>;

const entry = (index: number): InventoryEntry => ({
  sha256: index.toString(16).padStart(64, '0'),
  sizeBytes: 10,
  cid: null,
  model: 'm',
  version: '1',
  path: `${index}.bin`,
  current: true,
  state: 'valid',
  verifiedAt: 1,
});
const inventoryOf = (digest: string, count: number): Inventory => ({
  digest,
  fileCount: count,
  storeBytes: 10 * count,
  entries: Array.from({ length: count }, (_, index) => entry(index)),
});

const reporters: InventoryReporter[] = [];
afterEach(() => reporters.splice(0).forEach((reporter) => reporter.stop()));

function reporting(everyMs: number, more: { fullEveryMs?: number } = {}) {
  const state = { has: inventoryOf('first', 2), reads: 0, flushFails: 0 };
  const events: WorkerEvent[] = [];
  const store = {
    inventory: async () => {
      state.reads += 1;
      return state.has;
    },
    freeBytes: async () => 12.5,
    paths: { models: '/store/models' } as Store['paths'],
  };
  const reporter = new InventoryReporter({
    store,
    publish: (event) => void events.push(event),
    flush: async () => {
      if (state.flushFails-- > 0) throw new Error('not acknowledged');
    },
    workerVersion: '1.2.3',
    labels: { gpu: 'true' },
    readFacts: async () => ({ arch: 'x64', os: 'linux', memoryBytes: 8e9, gpus: 2 }),
    logger: silentLogger,
    everyMs,
    gatherMs: 1,
    ...more,
  });
  reporters.push(reporter);
  const pages = (): Page[] => events.filter((event): event is Page => event.type === 'host.inventory');
  return { reporter, state, events, pages };
}

describe('the inventory that a host reports', () => {
  it('is a report and the whole list at the start, and the list again only when it changed', async () => {
    const { reporter, state, events, pages } = reporting(1);
    reporter.start();
    await until(() => state.reads >= 3, { what: 'three reports' });
    expect(events[0]).toMatchObject({
      type: 'host.report',
      inventoryDigest: 'first',
      storeBytes: 20,
      freeBytes: 12,
      fileCount: 2,
      workerVersion: '1.2.3',
      labels: { gpu: 'true' },
      facts: { arch: 'x64', os: 'linux', memoryBytes: 8e9, gpus: 2 },
    });
    expect(pages()).toMatchObject([{ digest: 'first', page: 0, pages: 1, modelsFolder: '/store/models' }]);
    expect(pages()[0]!.entries[1]).toEqual({
      sha256: entry(1).sha256,
      sizeBytes: 10,
      cid: null,
      model: 'm',
      version: '1',
      path: '1.bin',
      state: 'valid',
    });
    state.has = inventoryOf('second', 3);
    await until(() => pages().length === 2, { what: 'the list again' });
    expect(pages()[1]!.digest).toBe('second');
  });

  it('G31 is the whole list for a file that is lost again before its repair was in a list', async () => {
    const { reporter, state, events, pages } = reporting(60_000);
    reporter.start();
    await until(() => pages().length === 1, { what: 'the first list' });
    state.has = inventoryOf('repaired', 3);
    reporter.nudge();
    await until(() => events.filter(({ type }) => type === 'host.report').length === 2, { what: 'a short report' });
    expect(pages()).toHaveLength(1);
    state.has = inventoryOf('first', 2);
    reporter.nudge(true);
    await until(() => pages().length === 2, { what: 'the list again' });
    expect(pages()[1]!.digest).toBe('first');
  });

  it('cuts a long list into pages of one moment; an empty store is one empty page', async () => {
    const { reporter, state, pages } = reporting(1);
    state.has = inventoryOf('long', 1001);
    reporter.start();
    await until(() => pages().length === 3, { what: 'three pages' });
    expect(pages().map(({ page, pages: of, entries }) => [page, of, entries.length])).toEqual([
      [0, 3, 500],
      [1, 3, 500],
      [2, 3, 1],
    ]);
    expect(new Set(pages().map(({ at }) => at)).size).toBe(1);
    state.has = inventoryOf('empty', 0);
    await until(() => pages().length === 4, { what: 'the empty page' });
    expect(pages()[3]).toMatchObject({ page: 0, pages: 1, entries: [] });
  });

  it('publishes the list again without an acknowledgement, and from time to time', async () => {
    const unheard = reporting(1);
    unheard.state.flushFails = 1;
    unheard.reporter.start();
    await until(() => unheard.pages().length === 2, { what: 'the list again' });
    const repeated = reporting(1, { fullEveryMs: 0 });
    repeated.reporter.start();
    await until(() => repeated.pages().length >= 3, { what: 'the list again and again' });
  });

  it('publishes the list of a growing store once a minute, and at once after a removal', async () => {
    const { reporter, state, pages } = reporting(60_000);
    reporter.start();
    await until(() => pages().length === 1, { what: 'the first list' });
    state.has = inventoryOf('grown', 3);
    reporter.nudge();
    await until(() => state.reads === 2, { what: 'the report' });
    expect(pages()).toHaveLength(1);
    reporter.nudge(true);
    await until(() => pages().length === 2, { what: 'the list' });
    expect(pages()[1]!.digest).toBe('grown');
  });

  it('reports a burst of changes once', async () => {
    const { reporter, state } = reporting(60_000);
    reporter.start();
    await until(() => state.reads === 1, { what: 'the first report' });
    for (let change = 0; change < 100; change += 1) reporter.nudge();
    await until(() => state.reads === 2, { what: 'the report of the changes' });
    expect(state.reads).toBe(2);
  });

  it('publishes nothing before its start and after its stop', () => {
    const { reporter, state } = reporting(1);
    reporter.nudge();
    reporter.stop();
    reporter.start();
    expect(state.reads).toBe(0);
  });
});
