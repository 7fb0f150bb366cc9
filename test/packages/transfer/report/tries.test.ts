import { expect, it } from '@jest/globals';
import type { TryRecord } from '#transfer/report/transfer-options';
import { TryLog } from '#transfer/report/tries';

it('reports and counts every try, and keeps only the last thousand', () => {
  const told: TryRecord[] = [];
  const log = new TryLog((record) => told.push(record));
  const records = Array.from({ length: 2500 }, (_, bytes) => ({ bytes }) as TryRecord);
  for (const record of records) log.add(record);
  expect(told).toEqual(records);
  expect(log.count).toBe(2500);
  expect(log.kept).toEqual(records.slice(-1000));
});
