import { describe, expect, it } from '@jest/globals';
import { DAY_MS, HOUR_MS, SECOND_MS } from '#core/units';
import type { ModelRecords, VersionRecord } from '#store/models/model-records';
import { planSweep, SWEEP_LIMITS, type SweepFacts } from '#store/upkeep/sweep-plan';

const NOW = Date.UTC(2026, 5, 1);
const sha = (letter: string): string => letter.repeat(64);

const facts = (changes: Partial<SweepFacts>): SweepFacts => ({
  ...{ nowMs: NOW, records: new Map(), blobs: [], looseFiles: [], partials: [] },
  ...changes,
});

const version = (content: string, replacedMs: number | null, pinned = false): VersionRecord => ({
  ...{ type: null, ipfsHash: null, hfRevision: null, pinned },
  downloadedAt: new Date(NOW - 400 * DAY_MS).toISOString(),
  replacedAt: replacedMs === null ? null : new Date(replacedMs).toISOString(),
  files: new Map([['a', { sha256: sha(content), sizeBytes: 10, publishedAt: '' }]]),
});

/** Current 4, previous 3, older 2 and 1. */
const records = (replacedMs: number, pinned = false): ModelRecords =>
  new Map([
    [
      'm',
      {
        version: '4',
        previousVersion: '3',
        versions: new Map([
          ['1', version('1', replacedMs, pinned)],
          ['3', version('3', NOW - 300 * DAY_MS)],
          ['4', version('4', null)],
        ]),
      },
    ],
  ]);

const blobs = ['1', '3', '4'].map((letter) => ({ sha256: sha(letter), sizeBytes: 10, lastUsedMs: NOW - 200 * DAY_MS }));
const deleted = (changes: Partial<SweepFacts>, limits = SWEEP_LIMITS): string[] =>
  planSweep(facts(changes), limits).actions.map((action) =>
    'path' in action
      ? action.path
      : 'key' in action
        ? action.key
        : 'version' in action
          ? action.version
          : action.sha256[0]!,
  );

describe('planSweep', () => {
  it.each([
    [7 * DAY_MS - SECOND_MS, []],
    [7 * DAY_MS, []],
    [7 * DAY_MS + SECOND_MS, ['x.bak']],
    [-5 * DAY_MS, []],
  ])('M05 VE5 a .bak of age %d ms: deletes %j', (ageMs, expected) => {
    const looseFiles = [{ path: 'x.bak', sizeBytes: 1, mtimeMs: NOW - ageMs, kind: 'quarantined' as const }];
    expect(deleted({ looseFiles })).toEqual(expected);
  });

  it.each([
    [HOUR_MS - SECOND_MS, []],
    [HOUR_MS, []],
    [HOUR_MS + SECOND_MS, ['t.tmp', 'key']],
    [-HOUR_MS, []],
  ])('H10 VE5 temporaries and partials idle for %d ms: deletes %j', (ageMs, expected) => {
    const looseFiles = [{ path: 't.tmp', sizeBytes: 1, mtimeMs: NOW - ageMs, kind: 'temporary' as const }];
    const partials = [{ key: 'key', sizeBytes: 5, newestMtimeMs: NOW - ageMs, leased: false, keepUntilMs: 0 }];
    expect(deleted({ looseFiles, partials })).toEqual(expected);
  });

  it('H10 HD10 RE10 spares a leased partial and one that was asked to be kept', () => {
    const group = { sizeBytes: 5, newestMtimeMs: NOW - DAY_MS };
    const partials = [
      { ...group, key: 'leased', leased: true, keepUntilMs: 0 },
      { ...group, key: 'kept', leased: false, keepUntilMs: NOW },
      { ...group, key: 'no-longer-kept', leased: false, keepUntilMs: NOW - 1 },
    ];
    expect(deleted({ partials })).toEqual(['no-longer-kept']);
  });

  it.each([
    [90 * DAY_MS - SECOND_MS, []],
    [90 * DAY_MS, []],
    [90 * DAY_MS + SECOND_MS, ['1', '1']],
    [-DAY_MS, []],
  ])('M05 VE5 a version replaced %d ms ago: deletes %j', (ageMs, expected) => {
    expect(deleted({ records: records(NOW - ageMs), blobs })).toEqual(expected);
  });

  it('M05 K18 never deletes a pinned version, the current one or the one before it', () => {
    const old = records(NOW - 365 * DAY_MS, true);
    expect(deleted({ records: old, blobs }, { ...SWEEP_LIMITS, hardLimitBytes: 1 })).toEqual([]);
  });

  it('keeps the content of an old version that another version uses too', () => {
    const shared = new Map(records(NOW - 91 * DAY_MS));
    shared.set('n', { version: '9', previousVersion: null, versions: new Map([['9', version('1', null)]]) });
    expect(deleted({ records: shared, blobs })).toEqual(['1']);
  });

  it('HD14 H09 spares for an hour what was used last', () => {
    const used = blobs.map((blob) => ({ ...blob, lastUsedMs: NOW - HOUR_MS }));
    expect(deleted({ records: records(NOW - 91 * DAY_MS), blobs: used })).toEqual(['1']);
    expect(deleted({ blobs: used }, { ...SWEEP_LIMITS, hardLimitBytes: 0 })).toEqual([]);
  });

  it('evicts the least recently used nameless content down to the hard limit', () => {
    const loose = ['a', 'b', 'c'].map((letter, index) => ({
      ...{ sha256: sha(letter), sizeBytes: 10 },
      lastUsedMs: NOW - (3 - index) * DAY_MS,
    }));
    expect(deleted({ blobs: loose }, { ...SWEEP_LIMITS, hardLimitBytes: 30 })).toEqual([]);
    expect(deleted({ blobs: loose }, { ...SWEEP_LIMITS, hardLimitBytes: 29 })).toEqual(['a']);
    expect(deleted({ blobs: loose }, { ...SWEEP_LIMITS, hardLimitBytes: 10 })).toEqual(['a', 'b']);
  });

  it('deletes nameless content that was unused for 90 days', () => {
    const at = (ageMs: number) => [{ sha256: sha('a'), sizeBytes: 1, lastUsedMs: NOW - ageMs }];
    expect(deleted({ blobs: at(90 * DAY_MS) })).toEqual([]);
    expect(deleted({ blobs: at(90 * DAY_MS + SECOND_MS) })).toEqual(['a']);
  });

  it.each([
    [2e9 - 1, false],
    [2e9, false],
    [2e9 + 1, true],
    [2 * 1024 ** 3, true],
  ])('M06 a store of %d bytes: warns %s', (sizeBytes, warns) => {
    const plan = planSweep(facts({ blobs: [{ sha256: sha('a'), sizeBytes, lastUsedMs: NOW }] }));
    expect(plan.warning !== undefined).toBe(warns);
  });
});
