import { blockName, verifiedBlocks, type VerifiedBlocks } from '#content/dag/verified-blocks';
import { allEntries, directoryNode, findEntry, readNode, type DirectoryEntry } from '#content/dag/directory-node';
import { CODEC, type CidParts } from '#content/cid/cid-bytes';
import { VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import type { SeenBlocks } from '../blocks/held-blocks.ts';

/** What a path leads to. */
export interface ResolvedPath {
  readonly cid: CidParts;
  /** Canonical CIDs of the root and of each name, in order. */
  readonly roots: readonly string[];
  /** Blocks that were read on the way, the root's first; not the last one. */
  readonly pathBlocks: ReadonlyMap<string, Uint8Array>;
}

/**
 * - `not-here`  a block on the way is not in the store
 * - `no-entry`  the directory has no such name
 */
export type UnresolvedPath = {
  readonly is: 'not-here' | 'no-entry';
  readonly pathBlocks: ReadonlyMap<string, Uint8Array>;
};

/** A block that the store does not have. */
class NotHere extends Error {
  override readonly name = 'NotHere';
}

const MAX_BYTES = 64 * MIB;

/** Reads nodes of the store within the limits of those that come from elsewhere; one that is not here is a `NotHere`. */
function localBlocks(blocks: SeenBlocks): VerifiedBlocks {
  const limits = { maxBlockBytes: 8 * MIB, maxTotalBytes: MAX_BYTES, signal: new AbortController().signal };
  const partsByName = new Map<string, CidParts>();
  const source = verifiedBlocks(async (name) => {
    const block = await blocks.get(partsByName.get(name)!);
    if (block === undefined) throw new NotHere(name);
    return block;
  }, limits);
  return { blocks: source.blocks, get: (cid, name) => (partsByName.set(name, cid), source.get(cid, name)) };
}

/** Follows names below a root through directory blocks of the store; nothing is fetched. */
export async function resolveHere(
  blocks: SeenBlocks,
  root: CidParts,
  names: readonly string[],
): Promise<ResolvedPath | UnresolvedPath> {
  const source = localBlocks(blocks);
  const roots = [blockName(root)];
  let at = root;
  try {
    for (const name of names) {
      const entry = await findEntry(at, name, source);
      if (entry === undefined) return { is: 'no-entry', pathBlocks: source.blocks };
      at = entry.cid;
      roots.push(blockName(at));
    }
    return { cid: at, roots, pathBlocks: source.blocks };
  } catch (error) {
    if (error instanceof NotHere) return { is: 'not-here', pathBlocks: source.blocks };
    // A name below a file, or below a symbolic link.
    if (error instanceof VerifyError) return { is: 'no-entry', pathBlocks: source.blocks };
    throw error;
  }
}

/** Whether the node is a directory of either kind. */
export async function isDirectory(blocks: SeenBlocks, cid: CidParts): Promise<boolean> {
  if (cid.codec !== CODEC.dagPb) return false;
  try {
    const block = await blocks.get(cid);
    if (block === undefined) return false;
    const where = blockName(cid);
    const only = { blocks: new Map<string, Uint8Array>(), get: async () => block };
    directoryNode(where, await readNode(cid, where, only));
    return true;
  } catch (error) {
    if (error instanceof VerifyError) return false;
    throw error;
  }
}

/**
 * Lists a directory by its blocks in the store, in the order of the names.
 *
 * @returns undefined when a shard is not here, or it is no directory that can be listed
 */
export async function entriesHere(blocks: SeenBlocks, cid: CidParts): Promise<DirectoryEntry[] | undefined> {
  const where = blockName(cid);
  const source = localBlocks(blocks);
  try {
    const node = directoryNode(where, await readNode(cid, where, source));
    const entries = await allEntries(where, node, source);
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (error instanceof VerifyError || error instanceof NotHere) return undefined;
    throw error;
  }
}
