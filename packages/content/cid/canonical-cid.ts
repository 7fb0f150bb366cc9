import { VerifyError } from '#core/failure';
import { parseCid } from './cid.ts';

/** One spelling per CID: version 1 in base32. A text that is no CID we read names nothing, and stands for itself. */
export function canonicalCid(cid: string): string {
  try {
    return parseCid(cid).cid;
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError) return cid;
    throw error;
  }
}
