import type { DemoFile } from './demo-file.ts';
import type { DiskRange } from './send-range.ts';

/** What `/ipfs/<cid>` leads to: bytes on disk, or an inner block of a DAG. */
export type IpfsAnswer =
  { readonly is: 'file' | 'leaf'; readonly range: DiskRange } | { readonly is: 'block'; readonly block: Uint8Array };

/**
 * Finds what a CID names among generated files.
 *
 * @param isRaw a block is asked for, not the file
 * @returns undefined when it names nothing here
 */
export function findByCid(files: readonly DemoFile[], cid: string, isRaw: boolean): IpfsAnswer | undefined {
  const file = files.find((candidate) => candidate.cid === cid);
  const isOneBlock = file !== undefined && !file.innerBlocks.has(cid);
  if (file && (!isRaw || isOneBlock))
    return { is: 'file', range: { diskPath: file.diskPath, start: 0, end: file.sizeBytes } };
  for (const { diskPath, innerBlocks, leaves } of files) {
    const block = innerBlocks.get(cid);
    if (block !== undefined) return { is: 'block', block };
    const leaf = leaves.get(cid);
    if (leaf !== undefined) return { is: 'leaf', range: { diskPath, ...leaf } };
  }
  return undefined;
}
