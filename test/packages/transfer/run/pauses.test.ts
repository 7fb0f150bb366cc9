import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { transfer } from '#transfer/run/transfer';
import type { Progress, TransferOptions } from '#transfer/report/transfer-options';
import { makeDag } from '../../../helpers/dag/dag.ts';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 32 * KIB;
const PAUSES = 100;
const bytes = bytesOf(4 * MIB);
const { table } = await makeDag(bytes, { chunkBytes: LEAF });

it.each<[string, Partial<TransferOptions>]>([
  ['leaf by leaf', { table }],
  ['by its digest', { file: { sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) } } }],
])('H13 RE11 pauses and resumes a hundred times, proven %s, and nothing is lost', async (_, proof) => {
  const kit = await transferKit();
  let sent = 0;
  let committed = 0;
  try {
    for (let round = 1; round <= PAUSES + 1; round += 1) {
      const controller = new AbortController();
      const pausesAt = round <= PAUSES ? (round * bytes.length) / (PAUSES + 1) : Infinity;
      const corrupt = (position: number, chunk: Uint8Array): void => {
        sent += chunk.length;
        if (position + chunk.length > pausesAt) controller.abort(new Error('paused'));
      };
      const before = committed;
      const seen: number[] = [];
      const onProgress = (progress: Progress): void => void seen.push((committed = progress.committedBytes));
      const source = fakeSource(bytes, { chunkBytes: LEAF, corrupt });
      const running = transfer(kit.options([source], { ...proof, signal: controller.signal, onProgress }));
      if (round <= PAUSES) await expect(running).rejects.toThrow('paused');
      else expect(await running).toMatchObject({ sizeBytes: bytes.length });
      expect(Math.min(...seen)).toBe(before);
    }
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(sent).toBeLessThanOrEqual(bytes.length + PAUSES * LEAF);
  } finally {
    await kit.remove();
  }
});
