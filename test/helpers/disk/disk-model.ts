/**
 * A disk as a power cut sees it: every change is pending until its file or folder is synced, and of what is pending any part may
 * be there afterwards. Names, content and facts of an inode are independent; POSIX promises no order between them.
 */
export const PAGE_BYTES = 4096;
export const ROOT = 0;

export type NodeKind = 'file' | 'folder' | 'link';

export interface DiskNode {
  readonly kind: NodeKind;
  /** Mode it was made with. */
  readonly mode: number;
  /** Where a symbolic link leads. */
  readonly target?: string | undefined;
}

export type Change =
  | { readonly is: 'name'; readonly folder: number; readonly name: string; readonly node: number | undefined }
  | { readonly is: 'write'; readonly node: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly is: 'size'; readonly node: number; readonly sizeBytes: number }
  | { readonly is: 'mode'; readonly node: number; readonly mode: number }
  | { readonly is: 'times'; readonly node: number; readonly atimeMs: number; readonly mtimeMs: number };

/** One operation of the program. A sync covers what was complete when it began. */
export type Step =
  | { readonly changes: readonly Change[] }
  | { readonly synced: number; readonly before: number; readonly dataOnly: boolean }
  | { readonly mark: string };

export interface DiskHistory {
  readonly nodes: readonly DiskNode[];
  readonly steps: readonly Step[];
}

/** What becomes of pending changes: all lost, all kept, or a part of them that the seed chooses. */
export type Fate = 'nothing' | 'everything' | { readonly seed: number };

export interface FileImage {
  readonly content: Uint8Array;
  readonly mode: number;
  readonly times: { readonly atimeMs: number; readonly mtimeMs: number } | undefined;
}

export interface DiskImage {
  readonly nodes: readonly DiskNode[];
  /** Names of each folder that has any. */
  readonly names: ReadonlyMap<number, ReadonlyMap<string, number>>;
  readonly files: ReadonlyMap<number, FileImage>;
}

/** What the disk may hold when the power fails after the first `cut` steps. The same arguments give the same disk. */
export function diskAfterCut({ nodes, steps }: DiskHistory, cut: number, fate: Fate): DiskImage {
  const choice = choiceOf(fate);
  const done = steps.slice(0, cut);
  const horizons = horizonsOf(done);
  const changes = done.flatMap((step, index) =>
    'changes' in step ? step.changes.map((change) => ({ change, index })) : [],
  );
  const byNode = new Map<number, Numbered[]>();
  for (const one of changes) {
    const node = one.change.is === 'name' ? one.change.folder : one.change.node;
    const own = byNode.get(node);
    if (own === undefined) byNode.set(node, [one]);
    else own.push(one);
  }
  const names = new Map<number, Map<string, number>>();
  const files = new Map<number, FileImage>();
  for (const [id, node] of nodes.entries()) {
    const own = byNode.get(id) ?? [];
    const horizon = horizons.get(id) ?? { data: 0, facts: 0 };
    if (node.kind === 'folder') names.set(id, namesOf(own, horizon.facts, choice));
    else if (node.kind === 'file') files.set(id, fileOf(node, own, horizon, choice));
  }
  return { nodes, names, files };
}

interface Numbered {
  readonly change: Change;
  readonly index: number;
}

interface Horizon {
  /** Content changes of earlier steps are durable. */
  data: number;
  /** Names, mode and times of earlier steps are durable. */
  facts: number;
}

function horizonsOf(steps: readonly Step[]): Map<number, Horizon> {
  const horizons = new Map<number, Horizon>();
  for (const step of steps) {
    if (!('synced' in step)) continue;
    const horizon = horizons.get(step.synced) ?? { data: 0, facts: 0 };
    horizon.data = Math.max(horizon.data, step.before);
    if (!step.dataOnly) horizon.facts = Math.max(horizon.facts, step.before);
    horizons.set(step.synced, horizon);
  }
  return horizons;
}

interface Choice {
  /** How many of so many pending values of a name came through, in their order. */
  names(pending: number): number;
  page(): boolean;
  fact(): boolean;
  size(pending: number): number;
  /** What a page holds that was never written: zeros, or what the blocks held before. */
  readonly filler: number;
}

function choiceOf(fate: Fate): Choice {
  if (fate === 'nothing') return { names: () => 0, page: () => false, fact: () => false, size: () => 0, filler: 0 };
  if (fate === 'everything') return { names: (n) => n, page: () => true, fact: () => true, size: (n) => n, filler: 0 };
  const random = randomOf(fate.seed);
  const some = (share: number, n: number): number =>
    share === 0 ? 0 : share === 1 ? n : Math.floor(random() * (n + 1));
  const [nameShare, dataShare] = [Math.floor(random() * 3) / 2, Math.floor(random() * 3) / 2];
  return {
    names: (n) => some(nameShare, n),
    page: () => random() < dataShare,
    fact: () => random() < 0.5,
    size: (n) => some(random() < 0.5 ? dataShare : 0.5, n),
    filler: random() < 0.5 ? 0 : 0xa5,
  };
}

/** Mulberry32: numbers in [0, 1) that a seed repeats. */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function namesOf(own: readonly Numbered[], horizon: number, choice: Choice): Map<string, number> {
  const histories = new Map<string, { durable: number | undefined; pending: (number | undefined)[] }>();
  for (const { change, index } of own) {
    if (change.is !== 'name') continue;
    const history = histories.get(change.name) ?? { durable: undefined, pending: [] };
    histories.set(change.name, history);
    if (index < horizon) history.durable = change.node;
    else history.pending.push(change.node);
  }
  const names = new Map<string, number>();
  for (const [name, { durable, pending }] of histories) {
    const node = [durable, ...pending][choice.names(pending.length)];
    if (node !== undefined) names.set(name, node);
  }
  return names;
}

function fileOf(node: DiskNode, own: readonly Numbered[], horizon: Horizon, choice: Choice): FileImage {
  let [mode, times] = [node.mode, undefined as FileImage['times']];
  for (const { change, index } of own) {
    if (change.is !== 'mode' && change.is !== 'times') continue;
    if (index >= horizon.facts && !choice.fact()) continue;
    if (change.is === 'mode') mode = change.mode;
    else times = { atimeMs: change.atimeMs, mtimeMs: change.mtimeMs };
  }
  return { content: contentOf(own, horizon.data, choice), mode, times };
}

function contentOf(own: readonly Numbered[], horizon: number, choice: Choice): Uint8Array {
  const extents = own.filter(({ change }) => change.is === 'write' || change.is === 'size');
  const reach = Math.max(0, ...extents.map(({ change }) => endOf(change)));
  const content = Buffer.alloc(reach);
  const durable = extents.filter(({ index }) => index < horizon);
  let sizeBytes = 0;
  for (const { change } of durable) sizeBytes = apply(content, sizeBytes, change, () => true);
  const sizes = [sizeBytes];
  let logical = sizeBytes;
  content.fill(choice.filler, sizeBytes);
  for (const { change, index } of extents) {
    if (index < horizon) continue;
    logical = change.is === 'size' ? change.sizeBytes : Math.max(logical, endOf(change));
    sizes.push(logical);
    if (change.is === 'write' || choice.page()) apply(content, logical, change, () => choice.page());
  }
  return content.subarray(0, sizes[choice.size(sizes.length - 1)]!);
}

const endOf = (change: Change): number =>
  change.is === 'write' ? change.position + change.bytes.length : change.is === 'size' ? change.sizeBytes : 0;

/** @returns the size afterwards */
function apply(content: Buffer, sizeBytes: number, change: Change, keeps: () => boolean): number {
  if (change.is === 'size') {
    content.fill(0, change.sizeBytes);
    return change.sizeBytes;
  }
  if (change.is !== 'write') return sizeBytes;
  const end = endOf(change);
  for (let at = change.position; at < end;) {
    const next = Math.min(end, at - (at % PAGE_BYTES) + PAGE_BYTES);
    if (keeps()) content.set(change.bytes.subarray(at - change.position, next - change.position), at);
    at = next;
  }
  return Math.max(sizeBytes, end);
}
