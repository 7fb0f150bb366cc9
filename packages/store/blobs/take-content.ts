import { createHash, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalCid } from '#content/cid/canonical-cid';
import { encodeCar } from '#content/dag/car';
import { createDagBuilder, type BuiltDag, type DagProfile } from '#content/dag/dag-builder';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import { SourceError, StorageError, VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import { ifPresent } from '#os/if-present';
import type { LeasedPartial } from '#os/lease/leased-partial';
import { unlinkIfPresent } from '#os/write-file';
import type { StoreContext } from '../context.ts';
import { find } from './find.ts';
import { leaseContent } from './partial-lease.ts';
import { publish, type PublishedBlob } from './publish.ts';
import type { RecordStore } from '../models/record-store.ts';

/** Content that is on this machine, such as a member of a bundle. */
export interface LocalContent {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Becomes a name of the content only when these bytes, cut by the profile, lead to it. */
  readonly cid?: { readonly text: string; readonly profile: DagProfile } | undefined;
  /** The bytes from a position on, in order. */
  readonly read: (from: number) => AsyncIterable<Uint8Array>;
  /** False where `read` can be called once, from the first byte on: then nothing is resumed. */
  readonly canSeek: boolean;
  /** What is written, or hashed again after an interruption. */
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A shorter content starts again after an interruption: a lease costs more than its bytes. */
const RESUMED_FROM_BYTES = 8 * MIB;
const READ_BYTES = MIB;
/** Kept for an install that is begun again. */
const KEEP_MS = 24 * 3600 * 1000;

/**
 * Copies content into the store under no name of a model. It is hashed on its way and appears only when it is right. What an
 * interrupted copy wrote is hashed and kept.
 *
 * @throws VerifyError `wrong-digest` when the bytes are others; StorageError; what `read` throws; the signal's reason
 */
export async function takeContent(
  context: StoreContext,
  records: RecordStore,
  content: LocalContent,
): Promise<PublishedBlob> {
  if (content.sizeBytes < RESUMED_FROM_BYTES) return takeAtOnce(context, records, content);
  const outcome = await leaseContent(context, `bundle-${content.sha256}`, {
    find: () => find(context, records, { digests: { sha256: content.sha256 }, sizeBytes: content.sizeBytes }),
    signal: content.signal,
  });
  if (!('partial' in outcome)) return outcome.found;
  const { partial } = outcome;
  try {
    const dag = await writeResumed(context, content, partial);
    await partial.assertMine();
    const published = await publish(context, records, { ...request(content, dag), partialPath: partial.partialPath });
    await partial.discard();
    return published;
  } catch (error) {
    if (error instanceof VerifyError) await partial.discard();
    else await partial.release({ keepForMs: KEEP_MS });
    throw error;
  }
}

async function takeAtOnce(context: StoreContext, records: RecordStore, content: LocalContent): Promise<PublishedBlob> {
  const partialPath = join(context.paths.partials, `bundle-${randomBytes(8).toString('hex')}.part`);
  try {
    const dag = await writeFrom(context, content, partialPath, 0);
    return await publish(context, records, { ...request(content, dag), partialPath });
  } finally {
    await unlinkIfPresent(context.fs, partialPath);
  }
}

/** An earlier part that turns out to be wrong is no reason to refuse the bundle: then all of it is written again. */
async function writeResumed(
  context: StoreContext,
  content: LocalContent,
  { partialPath, resumed }: LeasedPartial,
): Promise<BuiltDag | undefined> {
  const left = resumed && content.canSeek ? ((await ifPresent(context.fs.stat(partialPath)))?.size ?? 0) : 0;
  try {
    return await writeFrom(context, content, partialPath, Math.min(left, content.sizeBytes));
  } catch (error) {
    if (left === 0 || !(error instanceof VerifyError)) throw error;
    return writeFrom(context, content, partialPath, 0);
  }
}

/** Hashes what the partial has up to `from`, and writes the other bytes behind it. */
async function writeFrom(
  context: StoreContext,
  content: LocalContent,
  partialPath: string,
  from: number,
): Promise<BuiltDag | undefined> {
  const proof = proofOf(content);
  const handle = await openPartial(context, partialPath, from);
  try {
    for await (const bytes of readBack(handle, from)) proof.take(bytes);
    for await (const bytes of content.read(proof.takenBytes())) {
      const start = proof.takenBytes();
      proof.take(bytes);
      await writeAll(handle, bytes, start);
    }
  } catch (error) {
    const isTold = error instanceof VerifyError || error instanceof SourceError || content.signal?.aborted === true;
    throw isTold ? error : StorageError.from(error, partialPath);
  } finally {
    await handle.close();
  }
  return proof.finish();
}

/** Takes all bytes in their order, and says whether they are those that were promised. */
function proofOf(content: LocalContent) {
  const { sha256, sizeBytes, cid, onBytes, signal } = content;
  const hash = createHash('sha256');
  const dag = cid === undefined ? undefined : createDagBuilder(cid.profile);
  let taken = 0;
  return {
    takenBytes: () => taken,
    take(bytes: Uint8Array): void {
      signal?.throwIfAborted();
      taken += bytes.length;
      if (taken > sizeBytes) throw other(content, `more than ${sizeBytes} bytes`);
      hash.update(bytes);
      dag?.update(bytes);
      onBytes?.(bytes.length);
    },
    /** @returns the DAG where it has the CID that was given */
    finish(): BuiltDag | undefined {
      if (taken !== sizeBytes) throw other(content, `${taken} bytes, not ${sizeBytes}`);
      const actual = hash.digest('hex');
      if (actual !== sha256) throw other(content, `SHA-256 ${actual}, not ${sha256}`);
      const built = dag?.finish();
      return built?.cid === canonicalCid(cid?.text ?? '') ? built : undefined;
    },
  };
}

const other = ({ sha256 }: LocalContent, reason: string): VerifyError =>
  new VerifyError('wrong-digest', `what it has as ${sha256} has ${reason}`);

async function openPartial({ fs }: StoreContext, path: string, from: number): Promise<FileHandle> {
  if (from === 0) return fs.open(path, 'w+', 0o600);
  const handle = await fs.open(path, 'r+');
  await handle.truncate(from);
  return handle;
}

async function* readBack(handle: FileHandle, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length;) {
    const block = Buffer.allocUnsafe(Math.min(READ_BYTES, length - at));
    const { bytesRead } = await handle.read(block, 0, block.length, at);
    if (bytesRead === 0) return;
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** A disk that is almost full writes a part and reports no error. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
    if (bytesWritten === 0) throw Object.assign(new Error('the disk took no more bytes'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

const request = ({ sha256, sizeBytes }: LocalContent, dag: BuiltDag | undefined) => ({
  ...{ sha256, sizeBytes, digests: { sha256 } },
  ...(dag === undefined
    ? {}
    : { cid: dag.cid, table: encodeLeafTable(dag.table), inner: encodeCar(dag.cid, dag.innerBlocks) }),
});
