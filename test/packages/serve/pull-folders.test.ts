import { afterEach, describe, expect, it } from '@jest/globals';
import { tryParseCid } from '#content/cid/cid';
import { CODEC, decodeCid } from '#content/cid/cid-bytes';
import { decodeCar } from '#content/dag/car';
import { decodeUnixfsNode } from '#content/dag/unixfs-node';
import { blockName } from '#content/dag/verified-blocks';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import { makeBlock, makeBlocks, makeDirectory, type TestDag } from '../../helpers/dag/dag.ts';
import { makeHamt } from '../../helpers/dag/hamt.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { temporaryStore } from '../store/temp-store.ts';
import { ask, cleansUp, numbered, served } from './serve-kit.ts';

cleansUp();

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const NAMES = Array.from({ length: 40 }, (_, at) => `part ${at} ä.bin`);
const contentOf = (name: string): Buffer => numbered(300_000, NAMES.indexOf(name) + 1);
/** Sixteen places a level, so that it has shards below shards. */
const SHARDED = makeHamt(
  NAMES.map((name) => ({ name, dag: makeBlocks(contentOf(name)) })),
  16,
);
const FOLDER = makeDirectory([{ name: 'data', dag: SHARDED }]);
/** Its lowest directory has a thousand million paths. */
const BOMB = Array.from({ length: 30 }).reduce<TestDag>(
  (dag) => makeDirectory([...'ab'].map((name) => ({ name, dag }))),
  makeDirectory([]),
);

/** The blocks of a DAG, each once: parents before children, and all below a child before the next one. */
function depthFirst({ cid, blocks }: TestDag, into = new Set<string>()): string[] {
  if (into.has(cid)) return [...into];
  into.add(cid);
  const { links } = tryParseCid(cid)!.codec === CODEC.dagPb ? decodeUnixfsNode(blocks.get(cid)!) : { links: [] };
  for (const { hash } of links) depthFirst({ cid: blockName(decodeCid(hash)), blocks }, into);
  return [...into];
}

interface Mirror {
  readonly url: string;
  readonly gateway: Origin;
}

/** A server that may fetch the folder from a gateway. */
async function mirrorOfFolder(folder: TestDag = FOLDER): Promise<Mirror> {
  const gateway = await startOrigin({ blocks: folder.blocks });
  const store = await temporaryStore();
  const http = createHttp({ addressPolicy: parseAddressPolicy([]), timeouts: { stallMs: 2_000 } });
  const upstream = { http, hfEndpoint: 'http://127.0.0.1:9', gateways: [gateway.url] };
  const pull = pullThrough({ store, allow: [folder.cid], upstream })!;
  open.push(
    () => gateway.close(),
    () => http.close(),
    () => pull.stop(),
  );
  return { url: (await served({ store, pull })).url, gateway };
}

const below = (url: string, path: string): string => `${url}/ipfs/${FOLDER.cid}/${path}`;
const fileBelow = (url: string, name: string): string => below(url, `data/${encodeURIComponent(name)}`);

describe('a sharded folder that may be fetched', () => {
  it('EX5 is listed whole, also after one of its files, and again when the gateway is gone', async () => {
    const { url, gateway } = await mirrorOfFolder();
    const first = await ask(fileBelow(url, NAMES[7]!));
    expect([first.status, first.body.equals(contentOf(NAMES[7]!))]).toEqual([200, true]);
    expect(`${first.headers['x-ipfs-roots']}`).toMatch(new RegExp(`^${FOLDER.cid},${SHARDED.cid},`));
    const list = await ask(below(url, 'data/'));
    for (const name of NAMES) expect(list.body.toString()).toContain(`>${name}<`);
    await gateway.close();
    expect((await ask(below(url, 'data/'))).body.equals(list.body)).toBe(true);
    const again = await ask(fileBelow(url, NAMES[7]!));
    expect([again.status, again.headers.etag, again.body.equals(first.body)]).toEqual([200, first.headers.etag, true]);
    expect((await ask(fileBelow(url, 'none'))).status).toBe(404);
  });

  it('EX5 is a 412 where only the cache is asked and some of its shards are not here', async () => {
    const { url, gateway } = await mirrorOfFolder();
    const headers = { 'cache-control': 'only-if-cached' };
    expect((await ask(below(url, 'data/'), { headers })).status).toBe(412);
    await ask(fileBelow(url, NAMES[7]!));
    const asked = gateway.requests.length;
    const list = await ask(below(url, 'data/'), { headers });
    expect([list.status, list.body.toString()]).toEqual([412, 'the folder is not whole here\n']);
    expect(gateway.requests).toHaveLength(asked);
    await ask(below(url, 'data/'));
    expect((await ask(below(url, 'data/'), { headers })).status).toBe(200);
  });

  it('EX5 gives a CAR of the folder alone with all its shards', async () => {
    const { url } = await mirrorOfFolder();
    const { status, body } = await ask(below(url, 'data?format=car&dag-scope=entity'));
    const blocks = await decodeCar(body);
    const leaves = new Set(NAMES.flatMap((name) => [...makeBlocks(contentOf(name)).blocks.keys()]));
    const shards = [...FOLDER.blocks.keys()].filter((cid) => !leaves.has(cid));
    expect([status, [...blocks.keys()].sort()]).toEqual([200, shards.sort()]);
  });

  it('EX5 gives a CAR of all that is in it, depth first', async () => {
    const { url } = await mirrorOfFolder();
    const { status, isBroken, body } = await ask(`${url}/ipfs/${FOLDER.cid}?format=car`);
    const blocks = await decodeCar(body);
    expect([status, isBroken, [...blocks.keys()]]).toEqual([200, false, depthFirst(FOLDER)]);
    expect(blocks.size).toBe(FOLDER.blocks.size);
  });

  it('EX5 gives a CAR with each directory once, however many paths lead to it', async () => {
    const { url } = await mirrorOfFolder(BOMB);
    const { status, isBroken, body } = await ask(`${url}/ipfs/${BOMB.cid}?format=car`);
    expect([status, isBroken, (await decodeCar(body)).size]).toEqual([200, false, BOMB.blocks.size]);
  });

  it('EX5 keeps several ways into it, so that none needs the gateway a second time', async () => {
    const { url, gateway } = await mirrorOfFolder();
    const names = NAMES.slice(0, 5);
    await Promise.all(names.map((name) => ask(fileBelow(url, name))));
    await gateway.close();
    for (const name of names) {
      const { status, body } = await ask(fileBelow(url, name));
      expect([name, status, body.equals(contentOf(name))]).toEqual([name, 200, true]);
    }
  });
});

/** What `ln -s a.txt link` makes. */
const LINK = makeBlock(CODEC.dagPb, Buffer.from('\x0a\x09\x08\x04\x12\x05a.txt', 'latin1'));
const PAGE = makeBlocks(numbered(600_000, 77));
const SITE = makeDirectory([
  { name: 'a.txt', dag: makeBlocks(Buffer.from('text of a')) },
  { name: 'link', dag: LINK },
  { name: 'näme &', dag: makeDirectory([{ name: 'page', dag: makeDirectory([{ name: 'index.html', dag: PAGE }]) }]) },
]);

const TREE = makeDirectory([
  { name: 'file', dag: PAGE },
  { name: 'folder', dag: makeDirectory([{ name: 'page', dag: PAGE }]) },
  { name: 'sharded', dag: SHARDED },
]);
const LEAVES = [...PAGE.blocks.keys()].filter((cid) => cid !== PAGE.cid);

describe('a folder with pages and links that may be fetched', () => {
  const at = (url: string, path: string): string => `${url}/ipfs/${SITE.cid}/${path}`;

  it('EX5 is shown by its index.html, under the name and the ETag of the folder, also when it is here', async () => {
    const { url, gateway } = await mirrorOfFolder(SITE);
    const path = 'n%C3%A4me%20%26/page/';
    const first = await ask(at(url, path));
    expect([first.status, first.body.equals(numbered(600_000, 77))]).toEqual([200, true]);
    expect(first.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-ipfs-path': `/ipfs/${SITE.cid}/${path}`,
    });
    const roots = `${first.headers['x-ipfs-roots']}`.split(',');
    expect([roots.length, first.headers.etag]).toEqual([3, `"${roots[2]}"`]);
    await gateway.close();
    const again = await ask(at(url, path));
    expect([again.status, again.headers.etag, again.body.equals(first.body)]).toEqual([200, first.headers.etag, true]);
    const known = await ask(at(url, path), { headers: { 'if-none-match': `${first.headers.etag}` } });
    expect(known.status).toBe(304);
  });

  it('EX5 is listed with links to the folders above it, which a root does not have', async () => {
    const { url } = await mirrorOfFolder(SITE);
    const below = (await ask(at(url, 'n%C3%A4me%20%26/'))).body.toString();
    expect(below).toContain(`<a href="/ipfs/${SITE.cid}/n%C3%A4me%20%26">näme &amp;</a>`);
    expect(below).toContain(`<a href="/ipfs/${SITE.cid}/n%C3%A4me%20%26/..">..</a>`);
    expect((await ask(at(url, ''))).body.toString()).not.toContain('>..<');
  });

  it('EX5 is listed with a slash behind folders alone, without a leaf of the files, and when the gateway is gone', async () => {
    const { url, gateway } = await mirrorOfFolder(TREE);
    const list = await ask(`${url}/ipfs/${TREE.cid}/`);
    const links = (text: string): string[] => [...text.matchAll(/<a href="([^"?]*)">/g)].map(([, link]) => link!);
    const expected = ['', '/file', '/folder/', '/sharded/'].map((name) => `/ipfs/${TREE.cid}${name}`);
    expect(links(list.body.toString())).toEqual(expected);
    expect(gateway.requests.some(({ path }) => LEAVES.some((leaf) => path.includes(leaf)))).toBe(false);
    await gateway.close();
    expect((await ask(`${url}/ipfs/${TREE.cid}/`)).body.equals(list.body)).toBe(true);
  });

  it('EX5 gives the target of a symbolic link, and follows none', async () => {
    const { url, gateway } = await mirrorOfFolder(SITE);
    expect((await ask(at(url, 'link'))).body.toString()).toBe('a.txt');
    expect((await ask(at(url, 'link/below'))).status).toBe(404);
    await gateway.close();
    const raw = await ask(at(url, 'link?format=raw'));
    expect([raw.status, raw.headers['x-ipfs-roots']]).toEqual([200, `${SITE.cid},${LINK.cid}`]);
  });
});
