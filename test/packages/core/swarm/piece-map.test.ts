import { describe, expect, it } from '@jest/globals';
import { PieceMap, pieceBytesOf } from '#core/swarm/piece-map';
import { GIB, KIB, MIB } from '#core/units';
import { bytesOf, tableOf } from '../../../helpers/transfer-kit.ts';

describe('pieces of a file', () => {
  it.each([
    [1, MIB],
    [142 * MIB, MIB],
    [142_000_000, MIB],
    [1.5 * GIB, 8 * MIB],
    [7 * GIB, 16 * MIB],
    [70 * GIB, 16 * MIB],
    [256 * GIB, 16 * MIB],
    [256 * GIB + 1, 32 * MIB],
    [1024 * GIB, 64 * MIB],
  ])('N6 of %d bytes have %d bytes', (sizeBytes, pieceBytes) => {
    expect(pieceBytesOf(sizeBytes)).toBe(pieceBytes);
  });

  it('N6 a map of the longest file fits into a header', () => {
    const map = new PieceMap(8 * 1024 * GIB);
    expect(map.count).toBeLessThanOrEqual(16_384);
    expect(map.toString().length).toBeLessThan(4 * KIB);
  });

  it('N6 a piece is here when every leaf that begins in it is here', () => {
    const table = tableOf(bytesOf(3 * MIB));
    const map = PieceMap.of(table, (leaf) => leaf !== 5);
    expect([0, 1, 2].map(map.has)).toEqual([true, false, true]);
    const read = PieceMap.parse(map.toString(), 3 * MIB)!;
    expect([0, 1, 2, 3].map(read.has)).toEqual([true, false, true, false]);
    expect(PieceMap.of(table, () => true).toString()).toBe('all');
  });

  it.each([['A'], ['AAAA'], ['A='], ['every'], ['']])('L05 the text %j is no map of nine pieces', (text) => {
    expect(PieceMap.parse(text, 9 * MIB)).toBeUndefined();
  });

  it('N6 a map is the same as digits', () => {
    const map = PieceMap.ofDigits('0110000011', 9 * MIB);
    expect([map.digits, map.heldCount, map.has(9)]).toEqual(['011000001', 3, false]);
    expect(PieceMap.parse(map.toString(), 9 * MIB)!.digits).toBe(map.digits);
  });

  it('L05 a map does not have pieces behind the end of the file', () => {
    const map = PieceMap.parse('____'.slice(0, 3), 9 * MIB)!;
    expect([map.heldCount, map.has(9), map.isComplete]).toEqual([9, false, true]);
  });
});
