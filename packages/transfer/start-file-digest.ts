import type { Logger } from '#core/logger';
import { inlineDigest, type DigestPlan, type FileDigest } from './file-digest.ts';
import type { OpenFile } from './file-operations.ts';

export interface StartDigestOptions {
  readonly plan: DigestPlan;
  readonly thread: 'auto' | 'inline';
  readonly logger: Logger;
}

export function startFileDigest(file: OpenFile, path: string, { plan }: StartDigestOptions): FileDigest {
  return inlineDigest(file, path, plan);
}
