import { afterEach, describe, expect, it } from '@jest/globals';
import { draftFromIpfs, isManifestCid } from '#ingest/draft-from-ipfs';
import { gatewayBlocks } from '#ingest/gateway-blocks';
import { MIB } from '#core/units';
import { fromBlocks, makeBlocks, makeDirectory, type TestDag } from '../../helpers/dag/dag.ts';
import { makeHamt } from '../../helpers/dag/hamt.ts';
import { sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { quickHttp } from '../sources/collect.ts';

const small = Buffer.from('{"a":1}');
const medium = someBytes(600_000, 'medium');
const large = someBytes(3 * MIB, 'large');
const raw = makeBlocks(small);
const v0 = makeBlocks(small, { profile: 'unixfs-v0-2015' });
const several = makeBlocks(medium);
const many = makeBlocks(large);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const ingest = (text: string, dag: TestDag, isWanted = (_path: string) => true) =>
  draftFromIpfs(text, { fetchBlock: fromBlocks(dag.blocks), isWanted, signal: new AbortController().signal });

describe('draftFromIpfs', () => {
  const folder = makeDirectory([
    { name: 'config.json', dag: raw },
    { name: 'onnx', dag: makeDirectory([{ name: 'model.onnx', dag: many }]) },
    { name: 'v0.json', dag: v0 },
    { name: 'vocab.bin', dag: several },
  ]);

  it('lists a folder with sizes and CIDs from verified blocks, and the SHA-256 of files of one block', async () => {
    const draft = await ingest(folder.cid, folder);
    expect(draft).toMatchObject({ version: folder.cid, cid: folder.cid });
    expect(draft.files).toEqual([
      { path: 'config.json', cid: raw.cid, sizeBytes: small.length, sha256: sha256Of(small) },
      { path: 'onnx/model.onnx', cid: many.cid, sizeBytes: large.length },
      { path: 'v0.json', cid: v0.cid, sizeBytes: small.length, sha256: sha256Of(small) },
      { path: 'vocab.bin', cid: several.cid, sizeBytes: medium.length, sha256: undefined },
    ]);
  });

  it('lists a sharded folder', async () => {
    const entries = Array.from({ length: 40 }, (_, index) => {
      const dag = makeBlocks(Buffer.from(`file ${index}`));
      return { name: `part-${index}.bin`, dag };
    });
    const hamt = makeHamt(entries, 16);
    const draft = await ingest(hamt.cid, hamt);
    expect(draft.files.map(({ path }) => path).sort()).toEqual(entries.map(({ name }) => name).sort());
    expect(draft.files.find(({ path }) => path === 'part-7.bin')!.sha256).toBe(sha256Of(Buffer.from('file 7')));
  });

  it('takes a single file, named by the end of its path or by its CID', async () => {
    expect((await ingest(many.cid, many)).files).toEqual([{ path: many.cid, cid: many.cid, sizeBytes: large.length }]);
    const below = await ingest(`ipfs://${folder.cid}/onnx/model.onnx`, folder);
    expect(below.files).toEqual([{ path: 'model.onnx', cid: many.cid, sizeBytes: large.length }]);
    expect(below.cid).toBe(many.cid);
  });

  it('reads nothing of files that are not wanted', async () => {
    const draft = await ingest(folder.cid, folder, (path) => path === 'v0.json');
    expect(draft.files.map(({ path }) => path)).toEqual(['v0.json']);
    await expect(ingest(folder.cid, folder, () => false)).rejects.toThrow(
      'has 4 files, and --include and --exclude leave none of them; the first is "config.json"',
    );
  });

  it('K08 K04 refuses names that are unsafe on some host', async () => {
    for (const name of ['aux.onnx', 'C:x', 'a b ', 'tab\t']) {
      const dag = makeDirectory([{ name, dag: raw }]);
      await expect(ingest(dag.cid, dag)).rejects.toMatchObject({ kind: 'unsupported' });
    }
  });

  it('skips a gateway with wrong blocks and one without blocks', async () => {
    const liar = await startOrigin({ blocks: folder.blocks }, [], { rules: [{ fault: { do: 'flip', atByte: 1 } }] });
    const empty = await startOrigin({});
    const honest = await startOrigin({ blocks: folder.blocks });
    const http = quickHttp();
    closers.push(...[liar, empty, honest].map((origin) => () => origin.close()), () => http.close());
    const fetchBlock = gatewayBlocks({ gateways: [liar.url, empty.url, honest.url], http });
    const signal = new AbortController().signal;
    const draft = await draftFromIpfs(folder.cid, { fetchBlock, isWanted: () => true, signal });
    expect(draft.files).toHaveLength(4);
    expect(liar.requests.length).toBeLessThanOrEqual(3);
  });

  it('recognizes a manifest by its CID', () => {
    expect(isManifestCid('baguqeerasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea')).toBe(true);
    expect(isManifestCid(raw.cid)).toBe(false);
    expect(() => isManifestCid('x')).toThrow(RangeError);
  });
});
