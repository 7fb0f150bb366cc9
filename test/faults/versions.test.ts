import { readFile } from 'node:fs/promises';
import { fc } from '../helpers/properties.ts';
import { describe, expect, it } from '@jest/globals';
import { TELLING_BYTES } from '#core/bytes/first-bytes';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { mirror } from '#sources/mirror';
import { transfer } from '#transfer/run/transfer';
import type { FileIdentity, TransferResult } from '#transfer/report/transfer-options';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { mortalDisk, receivedBytes } from '../helpers/interrupted.ts';
import { bytesOf, sha256Of, transferKit } from '../helpers/transfer-kit.ts';
import { startVersionOrigin, type ServedStep, type ServerStyle } from '../helpers/version-origin.ts';

expectNoLeaks();

const LENGTH = 150_000;
const RUNS = 80;
/** What is served in turn: by names, because a counterexample is printed. */
const VERSIONS = {
  'of one length': [0, 1, 2].map((n) => bytesOf(LENGTH, `version ${n}`)),
  'of three lengths': [bytesOf(LENGTH, 'a'), bytesOf(LENGTH + 30_001, 'b'), bytesOf(LENGTH - 40_001, 'c')],
};
const [SAME, OTHER] = ['of one length', 'of three lengths'] as const;

const WHOLE: ServedStep = { replaces: false, cutAt: undefined, then: 'nothing' };
const cut = (cutAt: number, more: Partial<ServedStep> = {}): ServedStep => ({ ...WHOLE, cutAt, ...more });
const PLAIN: ServerStyle = {
  ranges: 'honoured',
  ifRange: 'honoured',
  tags: 'strong',
  dates: 'own',
  length: 'said',
};

interface Case {
  readonly versions: keyof typeof VERSIONS;
  readonly style: ServerStyle;
  readonly steps: readonly ServedStep[];
  readonly pins: 'nothing' | 'size' | 'digest';
}

interface Ended {
  readonly result: TransferResult | undefined;
  readonly error: unknown;
  /** What is in the file, where the transfer succeeded. */
  readonly bytes: Buffer | undefined;
  readonly requests: readonly Record<string, unknown>[];
}

/** Runs one download, again and again as long as only its own program ended. */
async function download({ versions: name, style, steps, pins }: Case): Promise<Ended> {
  const versions = VERSIONS[name];
  const kit = await transferKit();
  const received = receivedBytes();
  let life = { isDead: false, stop: new AbortController() };
  const origin = await startVersionOrigin({
    versions,
    style,
    steps,
    onCut: async ({ then }, sentBytes) => {
      // The first bytes of an answer may be held back until they show what it is.
      if (sentBytes > TELLING_BYTES) await received.atLeast(sentBytes);
      if (then === 'nothing') return;
      life.isDead = then === 'kill';
      life.stop.abort(new Error('ended by the test'));
    },
  });
  const file: FileIdentity = {
    digests: pins === 'digest' ? { sha256: sha256Of(versions[1]!) } : {},
    sizeBytes: pins === 'size' ? versions[0]!.length : undefined,
  };
  try {
    for (;;) {
      const current = (life = { isDead: false, stop: new AbortController() });
      const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
      const source = received.counting(mirror({ http, url: `${origin.url}/model.bin`, trusted: true }));
      const options = kit.options([source], {
        file,
        signal: current.stop.signal,
        fileOperations: mortalDisk(() => current.isDead),
        // A thousand times as fast: several checkpoints in one answer.
        now: () => performance.now() * 1000,
      });
      const ended = await transfer(options)
        .then((result) => ({ result, error: undefined }))
        .catch((error: unknown) => ({ result: undefined, error }))
        .finally(() => http.close());
      if (ended.result === undefined && current.stop.signal.aborted) continue;
      const bytes = ended.result === undefined ? undefined : await readFile(kit.partialPath);
      return { ...ended, bytes, requests: origin.requests };
    }
  } finally {
    await origin.close();
    await kit.remove();
  }
}

const steps = fc.record({
  replaces: fc.boolean(),
  cutAt: fc.option(fc.double({ min: 0.000001, max: 0.999, noNaN: true }), { nil: undefined, freq: 4 }),
  then: fc.constantFrom('nothing', 'nothing', 'stop', 'kill'),
}) as fc.Arbitrary<ServedStep>;

const styles = fc.record({
  ranges: fc.constantFrom('honoured', 'honoured', 'ignored', 'without-content-range', 'from-a-border'),
  ifRange: fc.constantFrom('honoured', 'ignored'),
  tags: fc.constantFrom('strong', 'weak', 'first', 'none'),
  dates: fc.constantFrom('own', 'own', 'first', 'now', 'epoch', 'none'),
  length: fc.constantFrom('said', 'said', 'chunked', 'until-close'),
}) as fc.Arbitrary<ServerStyle>;

const cases: fc.Arbitrary<Case> = fc.record({
  versions: fc.constantFrom(SAME, OTHER),
  style: styles,
  steps: fc.array(steps, { maxLength: 7 }),
  pins: fc.constantFrom('nothing', 'nothing', 'size', 'digest'),
});

/** The server goes on showing the labels of the version that it has looked at first. */
const firstLabels = (ranges: 'honoured' | 'ignored'): Case => ({
  versions: SAME,
  style: { ...PLAIN, ranges, tags: 'first', dates: 'first' },
  steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
  pins: 'nothing',
});

describe('a file that is replaced while it is fetched', () => {
  it('B20 HR3 HR5 is wholly of one version or an error, whatever the server does and however often it breaks off', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const { result, error, bytes } = await download(one);
        if (result === undefined) return expect(error).toMatchObject({ name: 'ExhaustedError' });
        const index = VERSIONS[one.versions].findIndex((version) => version.equals(bytes!));
        expect(index).not.toBe(-1);
        if (one.pins === 'digest') expect(index).toBe(1);
        expect(result.digests.sha256).toBe(sha256Of(bytes!));
        expect(result.sizeBytes).toBe(bytes!.length);
      }),
      { numRuns: RUNS },
    );
  }, 600_000);

  it.each<[string, Case, number, number]>([
    [
      'B20 HR5 a server that ignores ranges and shows another ETag after a stop: restarted with that very answer',
      {
        versions: SAME,
        style: { ...PLAIN, ranges: 'ignored' },
        steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
        pins: 'nothing',
      },
      1,
      2,
    ],
    [
      'B20 HR3 a server that ignores ranges and shows nothing: restarted after one broken connection',
      {
        versions: SAME,
        style: { ...PLAIN, ranges: 'ignored', tags: 'none', dates: 'none' },
        steps: [cut(0.6), { ...WHOLE, replaces: true }],
        pins: 'nothing',
      },
      1,
      2,
    ],
    [
      'B20 HR3 the tag of the first version stays and the date does not: restarted',
      {
        versions: SAME,
        style: { ...PLAIN, tags: 'first', ifRange: 'ignored' },
        steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
        pins: 'nothing',
      },
      1,
      3,
    ],
    [
      'B27 HR2 tag and date of the first version stay, ranges honoured: the bytes before the joint differ',
      firstLabels('honoured'),
      1,
      3,
    ],
    [
      'B27 HR2 tag and date of the first version stay, ranges ignored: the bytes before the joint differ',
      firstLabels('ignored'),
      1,
      3,
    ],
    [
      'B20 HR4 a date that is the same second as that of the answer joins nothing',
      {
        versions: SAME,
        style: { ...PLAIN, tags: 'first', dates: 'now' },
        steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
        pins: 'nothing',
      },
      1,
      2,
    ],
    [
      'B21 HR5 a new version that is longer: its own length is learned from the answer',
      {
        versions: OTHER,
        style: PLAIN,
        steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
        pins: 'nothing',
      },
      1,
      2,
    ],
    [
      'B21 HR5 a length that an earlier run learned is no reason to refuse the version that the digest names',
      {
        versions: OTHER,
        style: { ...PLAIN, ranges: 'ignored' },
        steps: [cut(0.7, { then: 'stop' }), { ...WHOLE, replaces: true }],
        pins: 'digest',
      },
      1,
      3,
    ],
    [
      'B22 A01 HR7 whole answers under one strong ETag: the second whole reading brings the rest',
      { versions: SAME, style: { ...PLAIN, ranges: 'ignored' }, steps: [cut(0.6)], pins: 'nothing' },
      0,
      2,
    ],
    [
      'B23 HR8 ranges without Content-Range: the whole file is asked for',
      { versions: SAME, style: { ...PLAIN, ranges: 'without-content-range' }, steps: [cut(0.6)], pins: 'nothing' },
      0,
      3,
    ],
    [
      'B23 HR9 ranges from a border below: the whole file is asked for',
      { versions: SAME, style: { ...PLAIN, ranges: 'from-a-border' }, steps: [cut(0.6)], pins: 'nothing' },
      0,
      4,
    ],
  ])('%s', async (_, one, version, requests) => {
    const ended = await download(one);
    expect(ended.error).toBeUndefined();
    expect(ended.bytes!.equals(VERSIONS[one.versions][version]!)).toBe(true);
    expect(ended.requests).toHaveLength(requests);
  });

  it('HR2 HR4 continues after a stop under a strong date, and asks for the rest alone', async () => {
    const one: Case = {
      versions: SAME,
      style: { ...PLAIN, tags: 'none' },
      steps: [cut(0.7, { then: 'stop' })],
      pins: 'nothing',
    };
    const { requests, result } = await download(one);
    expect(requests.map((headers) => headers['if-range'])).toEqual([undefined, 'Mon, 01 Jan 2024 00:00:00 GMT']);
    expect(result!.resumedBytes).toBeGreaterThan(LENGTH / 2);
  });
});
