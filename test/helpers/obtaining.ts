import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { obtain, type Obtained, type ObtainOptions } from '#fetch/obtain';
import type { LeafTable } from '#content/leaf/leaf-table';
import type { FileSpec, SourceSpec } from '#core/file-spec';
import { LAYERS } from '#core/layer';
import { silentLogger, type Logger } from '#core/logger';
import { MINUTE_MS } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type HttpOptions, type HttpTimeouts } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import { leafGrid } from '#transfer/plan/grid';
import { bitOf, decodeJournal } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';
import type { Progress, TryRecord } from '#transfer/report/transfer-options';
import { makeDag, type DagLayout } from './dag/dag.ts';
import type { Fault } from './origin/origin-fault.ts';
import type { Served } from './origin/origin-routes.ts';
import { startOrigin, type Origin, type OriginOptions } from './origin/origin.ts';
import { bytesOf, QUICK_BUDGETS, sha256Of } from './transfer-kit.ts';

/** One file with everything an origin needs to be a mirror, a hub and a gateway for it. */
export interface TestFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly cid: string;
  readonly table: LeafTable;
  readonly served: Served;
}

export const REPO = 'acme/model';
export const COMMIT = 'c0ffee'.padEnd(40, '0');
export const LEAF_BYTES = 64 * 1024;

/** @param sizeBytes default: twenty leaves of LEAF_BYTES and a short one */
export async function testFile(
  sizeBytes = 20 * LEAF_BYTES + 777,
  layout: DagLayout = { chunkBytes: LEAF_BYTES },
): Promise<TestFile> {
  return fileOf(bytesOf(sizeBytes), layout);
}

export async function fileOf(bytes: Buffer, layout: DagLayout = { chunkBytes: LEAF_BYTES }): Promise<TestFile> {
  const name = 'model.onnx';
  const { cid, table, blocks } = await makeDag(bytes, layout);
  const served: Served = {
    files: { [name]: bytes },
    ipfs: { [cid]: bytes },
    blocks,
    repos: { [REPO]: { commit: COMMIT, files: { [name]: bytes } } },
  };
  return { name, bytes, sha256: sha256Of(bytes), cid, table, served };
}

/** Requests for plain bytes, not for blocks: as the path of a fault rule. */
export const PLAIN = /^[^?]*$/;

export interface ObtainRequest {
  readonly file: TestFile;
  /** Gateways in order: origins, or their addresses as an operator would type them. */
  readonly gateways?: readonly (Origin | string)[];
  readonly hub?: Origin;
  readonly mirrors?: readonly (Origin | string)[];
  /** Replaces what proves the file; default: size, SHA-256 and, where gateways are named, its CID. */
  readonly identity?: Partial<FileSpec>;
  readonly options?: Partial<ObtainOptions>;
  readonly http?: HttpOptions;
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly health?: SourceHealth;
  readonly token?: string;
  readonly logger?: Logger;
}

export interface ObtainRun {
  readonly result: Obtained | undefined;
  readonly error: unknown;
  /** Every try as it ended. */
  readonly tries: readonly TryRecord[];
  readonly progress: readonly Progress[];
  readonly partialPath: string;
}

export interface Obtaining {
  /** A folder of the test's own. */
  readonly folder: string;
  readonly partialPath: string;
  origin(served: Served, faults?: readonly (Fault | readonly Fault[])[], options?: OriginOptions): Promise<Origin>;
  /** An origin whose answers for plain bytes all suffer the fault, `times` times where given. */
  faulty(file: TestFile, fault: Fault | readonly Fault[], times?: number): Promise<Origin>;
  /** Runs the whole chain once, and checks that nothing wrong is taken for right. */
  obtain(request: ObtainRequest): Promise<ObtainRun>;
  /** Leaves a real partial by leaves in which only these are missing. */
  allBut(leaves: readonly number[], file: TestFile): Promise<void>;
  /** Leaves a real partial: the origin breaks off at the position and then has nothing more. */
  interruptedAt(position: number, request: ObtainRequest): Promise<ObtainRun>;
}

/** On a busy machine origins are slow too: a test of sources that are late says how long it waits for them. */
const PATIENT: HttpTimeouts = {
  ...{ lookupMs: MINUTE_MS, connectMs: MINUTE_MS, tlsMs: MINUTE_MS },
  ...{ headersMs: MINUTE_MS, stallMs: MINUTE_MS, lowSpeedMs: MINUTE_MS },
  lowSpeedBytesPerSecond: 1024,
};

/** Real sources over real HTTP against fake origins, in a folder that is new for each test. Call once per test file. */
export function obtaining(): Obtaining {
  const closers: (() => unknown)[] = [];
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-obtain-'));
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await rm(folder, { recursive: true, force: true });
  });
  const bench: Obtaining = {
    get folder() {
      return folder;
    },
    get partialPath() {
      return join(folder, '.model.onnx.part');
    },
    async origin(served, faults = [], options = {}) {
      const origin = await startOrigin(served, faults, options);
      closers.push(() => origin.close());
      return origin;
    },
    faulty: (file, fault, times = Infinity) =>
      bench.origin(file.served, [], { rules: [{ path: PLAIN, fault, times }] }),
    obtain: (request) => run(request, bench.partialPath, closers),
    async allBut(leaves, file) {
      const flips = leaves.map((leaf): Fault => ({ do: 'flip', atByte: file.table.starts[leaf]! + 1 }));
      const rules = [
        { path: PLAIN, times: 1, fault: flips },
        { path: PLAIN, fault: { do: 'status', status: 410 } },
      ] as const;
      const origin = await bench.origin(file.served, [], { rules });
      const { error } = await bench.obtain({ file, gateways: [origin] });
      if (leaves.length > 0) expect(error).toMatchObject({ name: 'ExhaustedError' });
    },
    async interruptedAt(position, request) {
      const rules = [
        { path: PLAIN, times: 1, fault: { do: 'cut', afterBytes: position } },
        { path: PLAIN, fault: { do: 'status', status: 410 } },
      ] as const;
      const origin = await bench.origin(request.file.served, [], { rules });
      const kinds = {
        ...(request.gateways && { gateways: [origin] }),
        ...(request.mirrors && { mirrors: [origin] }),
        ...(request.hub && { hub: origin }),
      };
      const done = await bench.obtain({ ...request, ...kinds });
      expect(done.error).toMatchObject({ name: 'ExhaustedError' });
      return done;
    },
  };
  return bench;
}

async function run(request: ObtainRequest, partialPath: string, closers: (() => unknown)[]): Promise<ObtainRun> {
  const http = createHttp({
    addressPolicy: parseAddressPolicy(['127.0.0.0/8', '::1']),
    timeouts: { ...PATIENT, ...request.timeouts },
    ...request.http,
  });
  closers.push(() => http.close());
  const spec = specOf(request);
  const tries: TryRecord[] = [];
  const progress: Progress[] = [];
  const sources = makeSources(spec, {
    gateways: (request.gateways ?? []).map(addressOf),
    hfEndpoint: request.hub?.url ?? 'http://hub.invalid',
    hfToken: request.token,
    layers: LAYERS,
    http,
    health: request.health ?? new SourceHealth({ cooldownMs: 10 }),
    gates: new OriginGates(),
    logger: request.logger ?? silentLogger,
  });
  const outcome = await obtain(spec, {
    sources,
    layers: LAYERS,
    strategy: 'ordered',
    partialPath,
    budgets: QUICK_BUDGETS,
    digestThread: 'inline',
    onTry: (record) => void tries.push(record),
    onProgress: (report) => void progress.push(report),
    ...request.options,
  }).then(
    (result) => ({ result, error: undefined }),
    (error: unknown) => ({ result: undefined, error }),
  );
  const done = { ...outcome, tries, progress, partialPath: request.options?.partialPath ?? partialPath };
  await expectNothingWrong(request.file, done);
  return done;
}

const addressOf = (place: Origin | string): string => (typeof place === 'string' ? place : place.url);

function specOf({ file, gateways, hub, mirrors, identity }: ObtainRequest): FileSpec {
  const hubSpec: SourceSpec = { kind: 'huggingface', repo: REPO, revision: 'main', path: file.name };
  const mirrorSpecs = (mirrors ?? []).map((place): SourceSpec => {
    return { kind: 'mirror', url: typeof place === 'string' ? place : `${place.url}/files/${file.name}` };
  });
  return {
    path: file.name,
    sizeBytes: file.bytes.length,
    digests: { sha256: file.sha256 },
    ...(gateways && { cid: file.cid }),
    sources: [...(hub ? [hubSpec] : []), ...mirrorSpecs],
    ...identity,
  };
}

/** The promise of the whole engine: what is called proven is the file, and what a journal calls a proven leaf is one. */
async function expectNothingWrong(file: TestFile, { result, partialPath }: Omit<ObtainRun, 'tries' | 'progress'>) {
  if (result !== undefined && result.verified !== 'none') {
    expect(result.sizeBytes).toBe(file.bytes.length);
    expect(file.bytes.equals(await readFile(partialPath))).toBe(true);
    return;
  }
  const grid = leafGrid(file.table);
  const found = decodeJournal(await readFile(journalPathOf(partialPath)).catch(() => undefined));
  if (!found.ok || !Buffer.from(found.journal.gridHash).equals(grid.hash)) return;
  const partial = await readFile(partialPath);
  for (let leaf = 0; leaf < grid.count; leaf += 1) {
    if (!bitOf(found.journal.bitmap, leaf)) continue;
    const [start, end] = [grid.start(leaf), grid.end(leaf)];
    expect(file.bytes.subarray(start, end).equals(partial.subarray(start, end))).toBe(true);
  }
}

/** Changes one byte of a file in place. */
export async function damage(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  await file.write(Buffer.of(byte[0]! ^ 1), 0, 1, position);
  await file.close();
}

/** What failed, in order: source kind of failure by try. */
export const failuresOf = ({ tries }: ObtainRun): string[] => tries.flatMap(({ failure }) => failure?.kind ?? []);

/** The Range headers of the requests for plain bytes. */
export const rangesOf = (origin: Origin): (string | undefined)[] =>
  origin.requests.filter(({ path }) => PLAIN.test(path)).map(({ range }) => range);

/** `bytes=a-b` from the first byte of one leaf to the last of another. */
export const leafRange = (file: TestFile, first: number, last: number): string =>
  `bytes=${file.table.starts[first]!}-${file.table.starts[last + 1]! - 1}`;
