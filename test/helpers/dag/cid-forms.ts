import { CID } from 'multiformats/cid';

/** The `Qm…` form of a dag-pb CID with SHA-256. */
export const toV0 = (cid: string): string => CID.parse(cid).toV0().toString();
