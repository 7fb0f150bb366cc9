import { stat } from 'node:fs/promises';
import { tryParseCid } from '#content/cid/cid';
import { matchesPattern } from '#core/text/name-pattern';
import { filesOf, type ModelRecords } from '#store/models/model-records';
import type { Store } from '#store/open-store';
import type { Reader } from './blocks/held-blocks.ts';
import { hexOf, type LeafShelf } from './blocks/leaf-shelf.ts';
import { dagSizes, modelFolders, type DagSizes, type ModelFolder } from './blocks/model-folders.ts';
import { hubRepos, type HubRepository, type RepoAlias } from './hub/hub-repo.ts';

/** What the store has by name, at one moment. */
export interface Catalogue {
  readonly records: ModelRecords;
  readonly repos: ReadonlyMap<string, HubRepository>;
  readonly isPrivate: (model: string) => boolean;
  /** Contents that only private models have. */
  readonly privateContents: ReadonlySet<string>;
  /** Folders of the versions; built when they are asked for first. */
  folders(): Promise<readonly ModelFolder[]>;
  /** Directory blocks of the folders, by digest, with the model that each belongs to. */
  folderBlocks(): Promise<ReadonlyMap<string, FolderBlock>>;
}

interface FolderBlock {
  readonly bytes: Uint8Array;
  readonly model: string;
}

export interface CatalogueOptions {
  readonly store: Store;
  readonly shelf: LeafShelf;
  readonly aliases: readonly RepoAlias[];
  /** Patterns of models that only readers with a token see. */
  readonly privateModels: readonly string[];
}

/** @returns the catalogue of the moment; it is made again when `.manifests.json` is another file */
export function catalogueOf(options: CatalogueOptions): () => Promise<Catalogue> {
  const { store } = options;
  const sizes = dagSizes(options.shelf);
  let current: { readonly mark: string; readonly catalogue: Promise<Catalogue> } | undefined;
  return async () => {
    const facts = await stat(store.paths.manifests).catch(() => undefined);
    const mark = facts === undefined ? 'none' : `${facts.ino} ${facts.mtimeMs} ${facts.size}`;
    if (current?.mark !== mark)
      current = { mark, catalogue: store.records().then((all) => build(all, sizes, options)) };
    try {
      return await current.catalogue;
    } catch (error) {
      current = undefined;
      throw error;
    }
  };
}

function build(records: ModelRecords, sizes: DagSizes, { aliases, privateModels }: CatalogueOptions): Catalogue {
  const isPrivate = (model: string): boolean => privateModels.some((pattern) => matchesPattern(pattern, model));
  const isOpen = new Map<string, boolean>();
  for (const { model, file } of filesOf(records))
    isOpen.set(file.sha256, (isOpen.get(file.sha256) ?? false) || !isPrivate(model));
  let folders: Promise<readonly ModelFolder[]> | undefined;
  let blocks: Promise<ReadonlyMap<string, FolderBlock>> | undefined;
  const foldersOf = (): Promise<readonly ModelFolder[]> => (folders ??= modelFolders(records, sizes));
  return {
    records,
    repos: hubRepos(records, aliases),
    isPrivate,
    privateContents: new Set([...isOpen].flatMap(([sha256, open]) => (open ? [] : [sha256]))),
    folders: foldersOf,
    folderBlocks: () => (blocks ??= foldersOf().then(blocksOf)),
  };
}

function blocksOf(folders: readonly ModelFolder[]): ReadonlyMap<string, FolderBlock> {
  const all = new Map<string, FolderBlock>();
  for (const { model, dag } of folders)
    for (const [cid, bytes] of dag.blocks) all.set(hexOf(tryParseCid(cid)!.digest), { bytes, model });
  return all;
}

/** @param isTrusted the reader showed a token of this server */
export const readerOf = (
  { isPrivate, privateContents }: Pick<Catalogue, 'isPrivate' | 'privateContents'>,
  isTrusted: boolean,
): Reader => ({
  isTrusted,
  mayReadModel: (model) => isTrusted || !isPrivate(model),
  mayReadContent: (sha256) => isTrusted || !privateContents.has(sha256),
});
