import { VerifyError } from '#core/failure';
import type { SourceSpec } from '#core/file-spec';
import { pathFilter } from './path-filter.ts';

/** One file that an ingest found: its path, length and proof. */
export interface DraftFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256?: string | undefined;
  readonly cid?: string | undefined;
}

/** A source of every file of a manifest; a hub's path is the file's path. */
export type DraftSource = Omit<Extract<SourceSpec, { kind: 'huggingface' }>, 'path'>;

/** The files that an ingest found. The caller names them, checks them by the manifest contract, and publishes them. */
export interface Draft {
  readonly files: readonly DraftFile[];
  readonly sources?: readonly DraftSource[] | undefined;
  /** CID of the IPFS folder or file; canonical. */
  readonly cid?: string | undefined;
  /** The origin's own name of this state, such as a commit; the default version of the manifest. */
  readonly version: string;
}

/** Progress over the bytes that an ingest has to read. */
export interface IngestProgress {
  /** The current step, such as `hashing 12 files`. */
  readonly what: string;
  readonly doneBytes: number;
  /** Undefined while it is not known. */
  readonly totalBytes: number | undefined;
}

export type OnIngestProgress = (progress: IngestProgress) => void;

/**
 * Checks the files against the least lengths of a recipe: each glob must match a file, and each matching file must be long enough.
 *
 * @param minBytes least length in bytes by glob
 * @throws VerifyError that names the file or glob
 */
export function refuseShortFiles({ files }: Draft, minBytes: Readonly<Record<string, number>>): void {
  for (const [glob, least] of Object.entries(minBytes)) {
    const matches = pathFilter([glob]);
    const found = files.filter(({ path }) => matches(path));
    if (found.length === 0) throw new VerifyError('unsupported', `no file matches "${glob}" of minBytes`);
    const short = found.find(({ sizeBytes }) => sizeBytes < least);
    if (short !== undefined)
      throw new VerifyError(
        'wrong-format',
        `"${short.path}" has ${short.sizeBytes} bytes and must have at least ${least}: it is not the file that the recipe means`,
      );
  }
}

export interface WithCids {
  readonly draft: Draft;
  /** Paths of the hub that the IPFS folder does not have: these files have no CID. */
  readonly unmatched: readonly string[];
}

/**
 * Adds the CIDs of an IPFS folder to the files of a hub, by path.
 *
 * @throws RangeError when no path matches; VerifyError when a matching path has other bytes
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
        `"${file.path}" differs between hub and IPFS folder ${folder}: ${name} is ${file[name]} at the hub and ${twin[name]} in the folder`,
      );
  return { ...file, cid: twin.cid };
}
