import { open, type FileHandle } from 'node:fs/promises';
import { StorageError, VerifyError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { silentLogger, type Logger } from '#core/logger';
import { BoundedMap } from '#core/bounded-map';
import type { ByteRange } from '#core/bytes/byte-range';
import { HOUR_MS, MIB } from '#core/units';
import { loadHash } from '#content/digest/multihash';
import { leafAt, leafBytesAt, verifyLeaf } from '#content/leaf/leaf-block';
import type { LeafTable } from '#content/leaf/leaf-table';
import { ifPresent } from '#os/if-present';
import type { SeenBlob } from '#store/blobs/look';
import type { Store } from '#store/open-store';
import type { Readable } from '../http/send-content.ts';
import type { LeafShelf } from './leaf-shelf.ts';

/** Published content that is open for reading. */
export interface OpenContent extends Readable {
  readonly sha256: string;
  readonly cid: string | undefined;
  close(): Promise<void>;
}

export interface Contents {
  /** @returns undefined when the store does not have it */
  open(sha256: string): Promise<OpenContent | undefined>;
  /** The same without opening it. */
  look(sha256: string): Promise<SeenBlob | undefined>;
  /** SHA-256 of the content with this CID. */
  ofCid(cid: string): Promise<string | undefined>;
  /** SHA-256 of the content with these digests. */
  ofDigests(digests: Digests): Promise<string | undefined>;
}

/** A use is noted at most this often for each content: it is a write. */
const TOUCH_EVERY_MS = HOUR_MS;

/** Ranges up to this length are proven by the leaves they touch, where the leaves are known; longer ones with the whole content. */
export const PROVEN_BY_LEAVES_BYTES = 16 * MIB;

/**
 * Opens published contents by their SHA-256. What was not hashed since the start of the process is proven beside its first response:
 * short ranges by their leaves, else all of it, once for all clients. Wrong content is quarantined, and the responses that send it end
 * broken.
 */
export function openContents(store: Store, shelf: Pick<LeafShelf, 'get'>, logger: Logger = silentLogger): Contents {
  const touch = noteUses(store, logger);
  const prove = provingOnce(store);
  return {
    look: (sha256) => store.look(sha256),
    ofCid: (cid) => store.contentOf({ cid, digests: {} }),
    ofDigests: (digests) => store.contentOf({ digests }),
    async open(sha256) {
      const opened = await openSeen(store, sha256);
      if (opened === undefined) return undefined;
      await touch(sha256);
      const { handle, seen } = opened;
      const content = readableOf(handle, seen);
      if (seen.isProven) return content;
      const table = seen.cid === undefined ? undefined : (await shelf.get(seen.cid))?.table;
      return { ...content, proofOf: proofsOf(content, table, () => prove(sha256)) };
    },
  };
}

/** @returns what proves ranges of a content that was not hashed yet */
function proofsOf(
  content: OpenContent,
  table: LeafTable | undefined,
  whole: () => Promise<void>,
): OpenContent['proofOf'] {
  let running: Promise<void> | undefined;
  return (range) => {
    const isShort = range.end - range.start <= PROVEN_BY_LEAVES_BYTES;
    if (running !== undefined || table === undefined || !isShort) return (running ??= whole());
    return leavesAreRight(content, table, range).then((right) => (right ? undefined : (running ??= whole())));
  };
}

/** Whether the leaves that the range touches are those of the table. @throws what reading rejects with */
export async function leavesAreRight(
  content: Pick<Readable, 'read' | 'sizeBytes'>,
  table: LeafTable,
  range: ByteRange,
): Promise<boolean> {
  if (table.sizeBytes !== content.sizeBytes) return false;
  await loadHash(table.hashCode);
  for (let leaf = leafAt(table, range.start); leaf < table.count && table.starts[leaf]! < range.end; leaf += 1) {
    const bytes = await readExactly(content, table.starts[leaf]!, leafBytesAt(table, leaf));
    if (bytes === undefined || !verifyLeaf(table, leaf, bytes)) return false;
  }
  return true;
}

function provingOnce(store: Store): (sha256: string) => Promise<void> {
  const running = new Map<string, Promise<void>>();
  return (sha256) => {
    const proof = running.get(sha256) ?? proven(store, sha256).finally(() => running.delete(sha256));
    running.set(sha256, proof);
    return proof;
  };
}

function noteUses(store: Store, logger: Logger): (sha256: string) => Promise<void> {
  const notedAt = new BoundedMap<number>({ capacity: 10_000 });
  return async (sha256) => {
    const now = Date.now();
    if (now - (notedAt.get(sha256) ?? 0) < TOUCH_EVERY_MS) return;
    notedAt.set(sha256, now);
    await store.touch(sha256).catch((err: unknown) => logger.debug({ err, sha256 }, 'use of a content is not noted'));
  };
}

async function proven(store: Store, sha256: string): Promise<void> {
  if ((await store.find({ digests: { sha256 } })) === undefined)
    throw new VerifyError('wrong-digest', `${sha256} is damaged on the disk and was taken away`);
}

interface Opened {
  readonly handle: FileHandle;
  readonly seen: SeenBlob;
}

/** The open file is the one that was looked at: another one may have taken its name between the two. */
async function openSeen(store: Store, sha256: string): Promise<Opened | undefined> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const seen = await store.look(sha256);
    const handle = seen === undefined ? undefined : await ifPresent(open(seen.path, 'r'));
    if (seen === undefined || handle === undefined) return undefined;
    const { ino, size } = await handle.stat();
    if (ino === seen.inode && size === seen.sizeBytes) return { handle, seen };
    await handle.close();
  }
  throw new StorageError('busy', sha256, `${sha256} is replaced again and again`);
}

function readableOf(handle: FileHandle, seen: SeenBlob): OpenContent {
  return {
    ...{ sha256: seen.sha256, sizeBytes: seen.sizeBytes, cid: seen.cid },
    proofOf: () => undefined,
    read: async (buffer, position) => {
      try {
        return (await handle.read(buffer, 0, buffer.length, position)).bytesRead;
      } catch (error) {
        throw StorageError.from(error, seen.path);
      }
    },
    close: () => handle.close(),
  };
}

/** Reads exactly one run of bytes. @returns undefined when the content is shorter */
export async function readExactly(
  content: Pick<Readable, 'read'>,
  position: number,
  length: number,
): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const count = await content.read(bytes.subarray(at), position + at);
    if (count === 0) return undefined;
    at += count;
  }
  return bytes;
}
