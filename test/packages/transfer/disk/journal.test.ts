import { fc } from '../../../helpers/properties.ts';
import { describe, expect, it } from '@jest/globals';
import { decodeJournal, encodeJournal, NO_NAME, type Journal } from '#transfer/disk/journal';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const shown = fc.option(fc.string(), { nil: undefined });
const validators = fc.record({ place: fc.string(), etag: shown, lastModified: shown });
const journals: fc.Arbitrary<Journal> = fc.integer({ min: 0, max: 400 }).chain((count) =>
  fc.record({
    identity: digest,
    gridHash: digest,
    sizeBytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    count: fc.constant(count),
    isClean: fc.boolean(),
    bitmap: fc.uint8Array({ minLength: Math.ceil(count / 8), maxLength: Math.ceil(count / 8) }),
    origins: fc
      .array(fc.constantFrom(0, 1, 2, NO_NAME), { minLength: count, maxLength: count })
      .map((origins) => Uint16Array.from(origins)),
    names: fc.array(fc.record({ source: fc.string(), validator: fc.option(validators, { nil: undefined }) }), {
      maxLength: 4,
    }),
  }),
);

describe('the journal', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(journals, (journal) => {
        const read = decodeJournal(encodeJournal(journal));
        if (!read.ok) throw new Error(read.reason);
        expect({
          ...read.journal,
          identity: new Uint8Array(read.journal.identity),
          gridHash: new Uint8Array(read.journal.gridHash),
          bitmap: new Uint8Array(read.journal.bitmap),
        }).toEqual(journal);
      }),
    );
  });

  it('G12 notices any damage and any missing end', () => {
    fc.assert(
      fc.property(journals, fc.nat(), fc.integer({ min: 1, max: 255 }), (journal, at, xor) => {
        const bytes = encodeJournal(journal);
        expect(decodeJournal(bytes.subarray(0, at % bytes.length)).ok).toBe(false);
        bytes[at % bytes.length]! ^= xor;
        expect(decodeJournal(bytes).ok).toBe(false);
      }),
    );
  });

  it('G12 tells another version from damage, and never throws', () => {
    const bytes = Buffer.alloc(200);
    bytes.write('HAULJRNL');
    bytes.writeUInt16LE(9, 8);
    expect(decodeJournal(bytes)).toEqual({ ok: false, reason: 'other-version' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (garbage) => expect(decodeJournal(garbage).ok).toBe(false)),
    );
    expect(decodeJournal(undefined)).toEqual({ ok: false, reason: 'absent' });
  });
});
