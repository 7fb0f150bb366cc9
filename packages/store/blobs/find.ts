import type { FileSpec } from '#core/file-spec';
import { readFacts, resolveAlias } from './blob-facts.ts';
import { checkBlob, type CheckOptions } from './check-blob.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import { filesOf } from '../models/model-records.ts';
import type { PublishedBlob } from './publish.ts';
import { quarantineBlob } from '../upkeep/quarantine.ts';
import type { RecordStore } from '../models/record-store.ts';

export type FindSpec = Pick<FileSpec, 'digests'> &
  Partial<Pick<FileSpec, 'sizeBytes' | 'minBytes' | 'cid' | 'path'>> &
  Pick<CheckOptions, 'format'>;

/** Digests that may name content, strongest first. */
const NAMES = ['sha512', 'sha1', 'git', 'md5'] as const;

/**
 * The layer `cache`: finds a file by SHA-256, CID or another digest, and hands it out only after the check. Content that
 * fails it is deleted or quarantined here, so the caller simply fetches it again.
 *
 * @returns undefined when the store does not have it, or no longer
 * @throws StorageError when the disk cannot be read
 */
export async function find(
  context: StoreContext,
  records: RecordStore,
  spec: FindSpec,
  options: Pick<CheckOptions, 'depth' | 'pace'> = { depth: 'fast' },
): Promise<PublishedBlob | undefined> {
  const sha256 = await contentOf(context, records, spec);
  if (sha256 === undefined) return undefined;
  const facts = await readFacts(context, sha256);
  if (NAMES.some((name) => differs(facts?.digests[name], spec.digests[name]))) return undefined;
  if (facts !== undefined && (differs(facts.sizeBytes, spec.sizeBytes) || facts.sizeBytes < (spec.minBytes ?? 0)))
    return undefined;
  const cid = facts === undefined ? await recordedCid(records, sha256) : facts.cid;
  const check = await checkBlob(context, sha256, { ...spec, ...options, knownCid: cid });
  if (check.state === 'valid')
    return {
      sha256,
      sizeBytes: check.sizeBytes,
      cid,
      path: blobPath(context.paths, sha256),
      verifiedAt: check.verifiedAt,
    };
  if (check.reason !== 'missing') await quarantineBlob(context, records, sha256, check);
  return undefined;
}

const differs = <T>(known: T | undefined, wanted: T | undefined): boolean =>
  known !== undefined && wanted !== undefined && known !== wanted;

/** SHA-256 of the content that the spec names; undefined when the store never had it under that name. */
export async function contentOf(
  context: StoreContext,
  records: RecordStore,
  spec: FindSpec,
): Promise<string | undefined> {
  if (spec.digests.sha256 !== undefined) return spec.digests.sha256;
  if (spec.cid !== undefined) {
    const cid = context.canonicalCid(spec.cid);
    const sha256 = (await resolveAlias(context, 'cid', cid)) ?? (await recordedContent(records, cid));
    if (sha256 !== undefined) return sha256;
  }
  for (const name of NAMES) {
    const value = spec.digests[name];
    const sha256 = value === undefined ? undefined : await resolveAlias(context, name, value);
    if (sha256 !== undefined) return sha256;
  }
  return undefined;
}

/** Aliases are lost with the power; the records keep the CID of what they name. */
async function recordedContent(records: RecordStore, cid: string): Promise<string | undefined> {
  for (const { file } of filesOf(await records.read())) if (file.cid === cid) return file.sha256;
  return undefined;
}

/** The CID of a content as the records know it: its facts go with a quarantine, or with the power. */
export async function recordedCid(records: RecordStore, sha256: string): Promise<string | undefined> {
  for (const { file } of filesOf(await records.read())) if (file.sha256 === sha256 && file.cid) return file.cid;
  return undefined;
}
