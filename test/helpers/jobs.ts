import { randomUUID } from 'node:crypto';
import type { DownloadJob } from '#contracts/worker/download-job';

/** A job as the relay makes it; any part may be replaced. */
export const aJob = (parts: Partial<DownloadJob> = {}): DownloadJob => ({
  version: 1,
  downloadId: randomUUID(),
  generation: 1,
  attemptsUsed: 0,
  file: { path: 'model.onnx', sizeBytes: 3, digests: { sha256: 'a'.repeat(64) }, sources: [] },
  ...parts,
});
