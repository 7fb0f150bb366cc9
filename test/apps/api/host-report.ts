import { randomUUID } from 'node:crypto';
import { recordBatches } from '../../../apps/api/background/recorder.ts';
import type { TestApp } from './start-app.ts';

/** The worker of a host reports with its labels; a host with the label `gpu=true` shows one. */
export async function reportHost({ deps }: TestApp, host: string, labels: Record<string, string> = {}): Promise<void> {
  const at = Date.now();
  const facts = { arch: 'x64', os: 'linux', memoryBytes: 8e9, gpus: labels['gpu'] === 'true' ? 1 : 0 };
  const told = {
    inventoryDigest: 'd',
    storeBytes: 0,
    freeBytes: 7e9,
    fileCount: 0,
    workerVersion: '1.2.3',
    labels,
    facts,
  };
  const events = [{ type: 'host.report' as const, at, ...told }];
  await recordBatches(deps, [{ version: 1, host, bootId: randomUUID(), sequence: 0, sentAt: at, events }]);
}
