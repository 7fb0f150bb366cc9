import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '#core/units';
import { openStore } from '#store/open-store';
import type { Goal } from '../goals.ts';
import type { Variant } from '../rounds.ts';
import type { Lab } from '../transfer/lab.ts';

/** The repository of every store that is served, and its only file. */
export const REPO = 'bench/file';
export const FILE = 'file.bin';

/** What a case is opened with. */
export interface ServeBench {
  readonly lab: Lab;
  /** Size of the file. */
  readonly mib: number;
  /** Home of a store that has the file. */
  readonly home: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface OpenServeCase {
  readonly variants: readonly Variant[];
  /** Ends what the case started. */
  stop(): Promise<void>;
}

export interface ServeCase {
  readonly name: string;
  readonly title: string;
  readonly mib: number;
  readonly quickMib: number;
  readonly goals: readonly Goal[];
  readonly note: string;
  open(bench: ServeBench): Promise<OpenServeCase>;
}

/** A store that has the very file that nginx serves, by a hard link: both read the same pages. @returns its home */
export async function storeOf(lab: Lab, mib: number): Promise<string> {
  const file = await lab.file(mib);
  const home = join(lab.folder, `store-${mib}`);
  const store = await openStore({ home });
  if ((await store.look(file.sha256)) !== undefined) return home;
  const partialPath = join(store.paths.partials, 'bench.part');
  await link(join(lab.www, `${mib}.bin`), partialPath);
  const sources = [{ kind: 'huggingface', repo: REPO, revision: 'main', path: FILE }] as const;
  const view = { model: 'bench', version: '1', path: FILE, sources };
  await store.publish({ partialPath, sha256: file.sha256, sizeBytes: mib * MIB, view });
  return home;
}
