import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCipheriv } from 'node:crypto';
import { createDagBuilder, type DagProfile } from '#content/dag/dag-builder';
import type { LeafTable } from '#content/leaf/leaf-table';
import { LAYERS, type Layer } from '#core/layer';
import { DEFAULT_BUDGETS, type Budget } from '#core/policy';
import type { Source } from '#core/source';
import type { TransferOptions } from '#transfer/report/transfer-options';

/** Reproducible bytes: a ChaCha20 keystream. */
export function bytesOf(length: number, seed = 'haulier'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('chacha20', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function tableOf(bytes: Uint8Array, profile: DagProfile = 'unixfs-v0-2015'): LeafTable {
  const builder = createDagBuilder(profile);
  builder.update(bytes);
  return builder.finish().table;
}

/** The default budgets with pauses too short to notice. */
export const QUICK_BUDGETS = Object.fromEntries(
  LAYERS.map((layer) => [layer, { ...DEFAULT_BUDGETS[layer], backoffBaseMs: 1, backoffMaxMs: 4 }]),
) as Record<Layer, Budget>;

/** A folder of its own for one test, and options with quick pauses. */
export async function transferKit() {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-transfer-'));
  const partialPath = join(folder, 'file.part');
  const options = (sources: readonly Source[], more: Partial<TransferOptions>): TransferOptions => ({
    file: { digests: {} },
    sources,
    layers: LAYERS,
    strategy: 'ordered',
    partialPath,
    budgets: QUICK_BUDGETS,
    digestThread: 'inline',
    ...more,
  });
  return { folder, partialPath, options, remove: () => rm(folder, { recursive: true, force: true }) };
}
