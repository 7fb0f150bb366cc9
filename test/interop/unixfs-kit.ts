import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { install, interopFolder } from './installed.ts';

/** @returns why the importer cannot be had, or undefined */
export const installImporter = (): Promise<string | undefined> => install('unixfs', 'ipfs-unixfs-importer');

/** Layout of a DAG by another builder: options of ipfs-unixfs-importer, and the names of its layouts and chunkers. */
export interface ImportOptions {
  readonly profile?: 'unixfs-v1-2025' | 'unixfs-v0-2015';
  readonly cidVersion?: 0 | 1;
  readonly rawLeaves?: boolean;
  readonly leafType?: 'file' | 'raw';
  readonly reduceSingleLeafToSelf?: boolean;
  readonly fieldOrder?: 'links-first' | 'data-first';
  readonly layout?: 'balanced' | 'trickle';
  readonly width?: number;
  readonly chunkBytes?: number;
  /** Average length of chunks that the content itself cuts. */
  readonly rabinBytes?: number;
  readonly wrapWithDirectory?: boolean;
  readonly shardSplitThresholdBytes?: number;
  readonly shardFanoutBits?: number;
}

export interface Imported {
  /** By path; `''` is the folder around all of them, where there is one. */
  readonly cids: ReadonlyMap<string, string>;
  /** Every block, by CIDv1 in base32. */
  readonly blocks: ReadonlyMap<string, Uint8Array>;
}

/** Runs the importer over files of known bytes (`bytesOf(length, seed)`). */
export async function imported(
  folder: string,
  files: readonly { readonly path: string; readonly seed: string; readonly bytes: number }[],
  options: ImportOptions,
): Promise<Imported> {
  await mkdir(folder, { recursive: true });
  const lines = await run('import.mjs', [], JSON.stringify({ folder, files, options }));
  const entries = lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { cid: string; path?: string });
  const blocks = new Map<string, Uint8Array>();
  for (const name of await readdir(folder)) blocks.set(name, await readFile(join(folder, name)));
  return { cids: new Map(entries.map(({ cid, path }) => [path ?? '', cid])), blocks };
}

/** @returns hexadecimal digests by the names that multihashes have */
export const hashesByOthers = async (
  names: readonly string[],
  bytes: Uint8Array,
): Promise<Readonly<Record<string, string>>> =>
  JSON.parse(await run('hash.mjs', names, bytes)) as Readonly<Record<string, string>>;

async function run(script: string, args: readonly string[], input: string | Uint8Array): Promise<string> {
  const child = spawn(process.execPath, [join(interopFolder('unixfs'), script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(input);
  const output = await text(child.stdout);
  const code = await exit;
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return output;
}
