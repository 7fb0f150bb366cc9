import type { SwarmView } from '#contracts/swarm-view';

/** @param copies null where nothing is known */
export const copiesText = (copies: number | null, allowed?: number): string =>
  copies === null ? '–' : `${copies.toFixed(2)}${allowed === undefined ? '' : ` of ${allowed}`}`;

/** Name of a file for people: its path, or its CID where no version names it. */
export const fileTitle = ({ cid, files }: Pick<SwarmView, 'cid' | 'files'>): string =>
  files[0]?.path ?? `${cid.slice(0, 16)}…`;

export const swarmPath = (cid: string): string => `/swarms/${encodeURIComponent(cid)}`;
