import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  promises,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import {
  diskAfterCut,
  ROOT,
  type Change,
  type DiskHistory,
  type DiskNode,
  type Fate,
  type Step,
} from './disk-model.ts';

export interface PowerLossOptions {
  /** A disk that says it has synced and has not: what a missing sync in the program would come to. */
  readonly ignoresSyncOf?: 'files' | 'folders' | undefined;
}

/**
 * A folder whose every change is written down, so that afterwards the power can be cut after any of them: `cut` makes, somewhere
 * else, a folder with what a legal disk may hold then. The program itself reads what it wrote, as it would from the page cache.
 */
export class RecordedDisk {
  readonly #root: string;
  readonly #ignoresSyncOf: PowerLossOptions['ignoresSyncOf'];
  readonly #nodes: DiskNode[] = [{ kind: 'folder', mode: 0o755 }];
  readonly #names = new Map<number, Map<string, number>>([[ROOT, new Map()]]);
  readonly #steps: Step[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  /** @param root a folder under its real path; what it holds already is on the disk */
  constructor(root: string, options: PowerLossOptions = {}) {
    this.#root = root;
    this.#ignoresSyncOf = options.ignoresSyncOf;
    this.#takeOver(root);
  }

  /** Files only: what an earlier life left in a folder of partials. */
  #takeOver(folder: string): void {
    for (const name of readdirSync(folder)) {
      this.#record([this.newNode(join(folder, name), 'file')]);
      const node = this.#nodes.length - 1;
      this.#record(this.written(node, readFileSync(join(folder, name)), 0));
      this.#steps.push({ synced: node, before: this.#steps.length, dataOnly: false });
    }
    this.#steps.push({ synced: ROOT, before: this.#steps.length, dataOnly: false });
  }

  get history(): DiskHistory {
    return { nodes: this.#nodes, steps: this.#steps };
  }

  /** Writes down that the program has come to here. */
  mark(what: string): void {
    this.#steps.push({ mark: what });
  }

  /** Whether the program had come there when the power failed. */
  isBefore(what: string, cut: number): boolean {
    return this.#steps.slice(0, cut).some((step) => 'mark' in step && step.mark === what);
  }

  /** Names a disk by its names and bytes: the same text, the same disk. */
  fingerprint(steps: number, fate: Fate): string {
    const { names, files } = diskAfterCut(this.history, steps, fate);
    const hash = createHash('sha256').update(JSON.stringify([...names].map(([folder, own]) => [folder, [...own]])));
    for (const [node, { content, mode }] of files) hash.update(`${node} ${mode} ${content.length} `).update(content);
    return hash.digest('hex');
  }

  /** Makes `folder` and what the disk holds after a power cut behind the first `steps` operations. */
  cut(steps: number, fate: Fate, folder: string): void {
    const image = diskAfterCut(this.history, steps, fate);
    const made = new Map<number, string>();
    const make = (node: number, path: string): void => {
      const { kind, mode, target } = image.nodes[node]!;
      if (kind === 'link') return symlinkSync(target!, path);
      if (kind === 'folder') {
        mkdirSync(path, { recursive: true });
        for (const [name, child] of image.names.get(node) ?? []) make(child, join(path, name));
        return chmodSync(path, mode);
      }
      const first = made.get(node);
      if (first !== undefined) return linkSync(first, path);
      made.set(node, path);
      const file = image.files.get(node)!;
      writeFileSync(path, file.content);
      if (file.times !== undefined) utimesSync(path, file.times.atimeMs / 1000, file.times.mtimeMs / 1000);
      chmodSync(path, file.mode);
    };
    make(ROOT, folder);
  }

  /** One change at a time, so that what is written down is the order in which it happened. */
  change<T>(work: () => Promise<T>, describe: (result: T) => readonly (readonly Change[])[]): Promise<T> {
    const run = async (): Promise<T> => {
      const result = await work();
      for (const changes of describe(result)) this.#record(changes);
      return result;
    };
    const done = this.#queue.then(run);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  #record(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#steps.push({ changes });
    for (const change of changes) {
      if (change.is !== 'name') continue;
      const names = this.#names.get(change.folder)!;
      if (change.node === undefined) names.delete(change.name);
      else names.set(change.name, change.node);
    }
  }

  async sync(node: number | undefined, dataOnly: boolean): Promise<void> {
    const before = this.#steps.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (node === undefined) return;
    const ignored = this.#nodes[node]!.kind === 'folder' ? 'folders' : 'files';
    if (ignored !== this.#ignoresSyncOf) this.#steps.push({ synced: node, before, dataOnly });
  }

  isOurs(path: string): boolean {
    return path === this.#root || path.startsWith(`${this.#root}${sep}`);
  }

  nodeOf(path: string): number | undefined {
    let node: number | undefined = ROOT;
    for (const name of relative(this.#root, path).split(sep)) {
      if (name === '') continue;
      node = node === undefined ? undefined : this.#names.get(node)?.get(name);
    }
    return node;
  }

  #placeOf(path: string): { readonly folder: number; readonly name: string } {
    const folder = this.nodeOf(dirname(path));
    if (folder === undefined)
      throw new Error(`${path} is in a folder that was made behind the back of the power-loss disk`);
    return { folder, name: basename(path) };
  }

  naming(path: string, node: number | undefined): Change {
    return { is: 'name', ...this.#placeOf(path), node };
  }

  newNode(path: string, kind: DiskNode['kind'], target?: string): Change {
    this.#nodes.push({ kind, mode: lstatSync(path).mode & 0o777, target });
    const node = this.#nodes.length - 1;
    if (kind === 'folder') this.#names.set(node, new Map());
    return this.naming(path, node);
  }

  /** What opening a file did: nothing, a new file, or an old one emptied. */
  opened(path: string, truncates: boolean): readonly Change[] {
    const node = this.nodeOf(path);
    if (node === undefined) return existsInRoot(path) ? [this.newNode(path, 'file')] : [];
    return truncates ? [{ is: 'size', node, sizeBytes: 0 }] : [];
  }

  written(node: number | undefined, bytes: Uint8Array, position: number): readonly Change[] {
    return node === undefined ? [] : [{ is: 'write', node, position, bytes: Uint8Array.from(bytes) }];
  }

  /** Folders that `mkdir` made on the way to the path, each a change of its own. */
  madeFolders(path: string): readonly (readonly Change[])[] {
    const missing: string[] = [];
    for (let at = path; this.nodeOf(at) === undefined; at = dirname(at)) missing.unshift(at);
    return missing.map((at) => {
      const changes = [this.newNode(at, 'folder')];
      // The next folder is named inside of this one.
      this.#record(changes);
      return [];
    });
  }

  /** A file that came to be with all its bytes: the name first, the bytes after. */
  whole(at: string, bytes: Uint8Array): readonly (readonly Change[])[] {
    this.#record(this.opened(at, true));
    return [this.written(this.nodeOf(at), bytes, 0)];
  }

  onNode(node: number | undefined, describe: (node: number) => Change): readonly (readonly Change[])[] {
    return node === undefined ? [] : [[describe(node)]];
  }

  rename(from: string, to: string): Promise<void> {
    return this.change(
      () => promises.rename(from, to),
      () => [[this.naming(to, this.nodeOf(from)), this.naming(from, undefined)]],
    );
  }
}

function existsInRoot(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
