import { VerifyError } from '#core/failure';
import type { Draft, DraftFile } from './draft.ts';

export interface WithCids {
  readonly draft: Draft;
  /** Paths of the hub that the folder does not have: they stay without CID. */
  readonly unmatched: readonly string[];
}

/**
 * Adds the CIDs of an IPFS folder to the files of a hub, by path.
 *
 * @throws RangeError when no path matches; VerifyError when one matches and has other bytes
 */
export function withCids(hub: Draft, ipfs: Draft): WithCids {
  const byPath = new Map(ipfs.files.map((file) => [file.path, file]));
  const files = hub.files.map((file) => joined(file, byPath.get(file.path), ipfs.cid));
  const unmatched = files.filter(({ cid }) => cid === undefined).map(({ path }) => path);
  if (unmatched.length === files.length)
    throw new RangeError(
      `no path of the hub is in the IPFS folder ${ipfs.cid}; it has for example "${ipfs.files[0]?.path}", the hub "${files[0]?.path}"`,
    );
  return { draft: { ...hub, files, cid: ipfs.cid }, unmatched };
}

function joined(file: DraftFile, twin: DraftFile | undefined, folder: string | undefined): DraftFile {
  if (twin === undefined) return file;
  const differs = (name: 'sizeBytes' | 'sha256'): boolean => twin[name] !== undefined && twin[name] !== file[name];
  for (const name of ['sizeBytes', 'sha256'] as const)
    if (differs(name))
      throw new VerifyError(
        'wrong-digest',
        `"${file.path}" is another file in the IPFS folder ${folder}: ${name} ${twin[name]} there, ${file[name]} at the hub`,
      );
  return { ...file, cid: twin.cid };
}
