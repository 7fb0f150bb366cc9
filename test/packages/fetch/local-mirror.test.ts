import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download, type DownloadOptions, type DownloadReport } from '#fetch/download';
import { leafCid } from '#content/leaf/leaf-block';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { makeDag } from '../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';

const bytes = someBytes(3 * MIB, 'local mirror');
const sha256 = sha256Of(bytes);
const dag = await makeDag(bytes);

describe('a download with a file of this machine', () => {
  let home: string;
  let to: string;
  let local: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-local-'));
    to = join(home, 'model.bin');
    local = join(home, 'an older copy.bin');
    await writeFile(local, bytes);
    origin = await startOrigin({ files: { 'model.bin': bytes }, ipfs: { [dag.cid]: bytes }, blocks: dag.blocks });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const get = (from: string, more: Partial<DownloadOptions> = {}): Promise<DownloadReport> =>
    download({ from, to, gateways: [origin.url], hfEndpoint: origin.url, stallTimeoutMs: 2000, ...more });
  const url = (): string => `${origin.url}/files/model.bin`;
  const localUrl = (): string => pathToFileURL(local).href;

  it('uses it as a mirror', async () => {
    origin.serve({});
    const report = await get(url(), { mirrors: [localUrl()], digests: { sha256 } });
    expect(report).toMatchObject({ sha256, verified: true, outcome: 'secondary_success' });
    const givers = report.sources.filter(({ bytes: given }) => given > 0).map(({ source }) => source);
    expect(givers).toEqual([localUrl()]);
    expect(bytes.equals(await readFile(to))).toBe(true);
    expect(bytes.equals(await readFile(local))).toBe(true);
  });

  it('fetches it by its own URL, and labels what nothing proves', async () => {
    expect(await get(localUrl())).toMatchObject({ sha256, verified: false });
    expect(origin.requests).toEqual([]);
  });

  it('believes it no more than others: a digest refuses all of a damaged one, leaves only the damaged leaf', async () => {
    await writeFile(local, Buffer.from(bytes).fill(0, MIB + 5, MIB + 500));
    await expect(get(localUrl(), { digests: { sha256 } })).rejects.toThrow(ExhaustedError);
    expect(existsSync(to)).toBe(false);

    // The gateway has the nodes of the DAG, the damaged leaf, and nothing else.
    const { table } = dag;
    const damaged = table.starts.findIndex((start) => start > MIB) - 1;
    const lacks = Array.from({ length: table.count }, (_, leaf) => leafCid(table, leaf)!).toSpliced(damaged, 1);
    origin.rules.push(
      ...[/^[^?]*$/, ...lacks].map((path) => ({ path, fault: { do: 'status', status: 404 } }) as const),
    );
    const other = join(home, 'other.bin');
    const report = await get(dag.cid, { to: other, mirrors: [localUrl()], strategy: 'parallel' });
    expect(report).toMatchObject({ sha256, cid: dag.cid, verified: true });
    const given = report.sources.find(({ source }) => source === localUrl())!;
    expect(given.bytes).toBe(bytes.length - (table.starts[damaged + 1]! - table.starts[damaged]!));
    expect(given.badLeaves).toBeLessThanOrEqual(1);
    expect(bytes.equals(await readFile(other))).toBe(true);
  });

  it.each(['file:older.bin', 'file://server/older.bin'])('refuses %s and says what to write', async (name) => {
    const refusal = 'names no file of this machine: write file:///path';
    await expect(get(name)).rejects.toThrow(refusal);
    await expect(get(url(), { mirrors: [name] })).rejects.toThrow(refusal);
  });
});
