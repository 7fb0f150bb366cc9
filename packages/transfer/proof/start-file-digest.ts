import { inlineDigest, type DigestPlan, type FileDigest } from './file-digest.ts';
import type { OpenFile } from '../disk/file-operations.ts';
import { threadedDigest } from './threaded-digest.ts';

/** Starts the digest of a growing file, in a second thread when that pays and is allowed. */
export function startFileDigest(file: OpenFile, path: string, plan: DigestPlan, thread: 'auto' | 'inline'): FileDigest {
  const threaded = thread === 'auto' ? threadedDigest(file.descriptor, path, plan) : undefined;
  return threaded ?? inlineDigest(file, path, plan);
}
