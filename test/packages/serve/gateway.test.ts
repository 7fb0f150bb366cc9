import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { parseCid } from '#content/cid/cid';
import { cidText } from '#content/cid/cid-bytes';
import { decodeCar } from '#content/dag/car';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { KIB, MIB } from '#core/units';
import {
  ask,
  cleansUp,
  hubView,
  jsonOf,
  numbered,
  publishBytes,
  served,
  type Published,
  type Served,
} from './serve-kit.ts';

cleansUp();

let server: Served;
/** Three leaves of 1 MiB, the last one short. */
let model: Published;
/** The same bytes as `ipfs add` of old cuts and names them. */
let old: Published;
let small: Published;

beforeAll(async () => {
  server = await served();
  const { store } = server;
  const two = { versionFileCount: 2 };
  model = await publishBytes(store, numbered(2 * MIB + 77), { view: hubView('onnx/model.onnx', two) });
  small = await publishBytes(store, Buffer.from('{"a":1}'), { view: hubView('config.json', two) });
  old = await publishBytes(store, numbered(600 * KIB, 9), { profile: 'unixfs-v0-2015' });
});

const blockUrl = (cid: string): string => `${server.url}/ipfs/${cid}?format=raw`;
const carUrl = (path: string, query = ''): string => `${server.url}/ipfs/${path}?format=car${query}`;

describe('raw blocks', () => {
  it.each(['unixfs-v1-2025', 'unixfs-v0-2015'] as const)(
    'EX5 F15 give a whole file of %s to a client that verifies every block',
    async (profile) => {
      const file = profile === 'unixfs-v1-2025' ? model : old;
      const asked: string[] = [];
      const { table } = await buildLeafTable(file.profileCid, async (cid) => {
        asked.push(cid);
        return (await ask(blockUrl(cid))).body;
      });
      expect(asked).toContain(file.cid);
      for (let leaf = 0; leaf < table.count; leaf += 1) {
        const digest = table.digests.subarray(leaf * 32, leaf * 32 + 32);
        const cid = cidText(profile === 'unixfs-v1-2025' ? 0x55 : 0x70, 0x12, digest);
        const { status, body } = await ask(blockUrl(cid));
        expect(status).toBe(200);
        const bytes = file.bytes.subarray(table.starts[leaf]!, table.starts[leaf + 1]!);
        expect(body.includes(Buffer.from(bytes))).toBe(true);
      }
    },
  );

  it('EX5 say what they are in the headers that gateways have', async () => {
    const { headers, body } = await ask(blockUrl(model.cid), { method: 'HEAD' });
    expect(body.length).toBe(0);
    expect(headers).toMatchObject({
      'content-type': 'application/vnd.ipld.raw',
      'content-length': `${model.innerBlocks.get(model.cid)!.length}`,
      'content-disposition': `attachment; filename="${model.cid}.bin"`,
      etag: `"${model.cid}.raw"`,
      'x-ipfs-path': `/ipfs/${model.cid}`,
      'x-ipfs-roots': model.cid,
      'x-content-type-options': 'nosniff',
    });
    expect(headers['cache-control']).toContain('immutable');
  });

  it('EX5 are asked for by the Accept header as well, in any spelling of the CID', async () => {
    const accept = { accept: 'application/vnd.ipld.raw' };
    const { body } = await ask(`${server.url}/ipfs/${old.profileCid}`, { headers: accept });
    expect(body).toEqual(Buffer.from(old.innerBlocks.get(old.cid)!));
  });

  it.each(['bafkqaaa', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'])(
    'EX5 answer the probe for the empty block %s with success',
    async (cid) => {
      for (const method of ['HEAD', 'GET']) {
        const { status, headers } = await ask(blockUrl(cid), { method });
        expect([status, headers['content-length']]).toEqual([200, '0']);
      }
    },
  );

  it('EX5 that are not here are a 404 at once, and a 412 where only the cache is asked', async () => {
    const foreign = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
    expect((await ask(blockUrl(foreign))).status).toBe(404);
    const { status } = await ask(blockUrl(foreign), { method: 'HEAD', headers: { 'cache-control': 'only-if-cached' } });
    expect(status).toBe(412);
    const here = await ask(blockUrl(model.cid), { method: 'HEAD', headers: { 'cache-control': 'only-if-cached' } });
    expect(here.status).toBe(200);
  });

  it('EX5 of nodes above the leaves are built again where the store lost them', async () => {
    const { store } = server;
    const lost = await publishBytes(store, numbered(3 * MIB, 5));
    await rm(join(store.paths.leaves, `${lost.cid}.inner`));
    expect((await ask(blockUrl(lost.cid))).body).toEqual(Buffer.from(lost.innerBlocks.get(lost.cid)!));
  });

  it('EX5 of a file whose whole leaf table is lost are cut from its bytes', async () => {
    const { store } = server;
    const lost = await publishBytes(store, numbered(700 * KIB, 6), { profile: 'unixfs-v0-2015' });
    for (const kind of ['inner', 'leaves']) await rm(join(store.paths.leaves, `${lost.cid}.${kind}`));
    expect((await ask(blockUrl(lost.cid))).body).toEqual(Buffer.from(lost.innerBlocks.get(lost.cid)!));
  });
});

describe('CAR', () => {
  it('EX5 of a whole file has every block, parents first', async () => {
    const { headers, body } = await ask(carUrl(old.profileCid));
    expect(headers['content-type']).toBe('application/vnd.ipld.car; version=1; order=dfs; dups=n');
    const blocks = await decodeCar(body);
    expect([...blocks.keys()][0]).toBe(old.cid);
    const { table } = await buildLeafTable(old.cid, async (cid) => blocks.get(cid)!);
    expect([table.count, blocks.size]).toEqual([3, 4]);
  });

  it.each([
    ['&dag-scope=block', 1],
    ['&entity-bytes=0:10', 2],
    ['&entity-bytes=1048575:1048576', 3],
    ['&entity-bytes=-5:*', 2],
    ['&entity-bytes=0:-1048576', 3],
    ['&entity-bytes=-9999999:0', 2],
    ['&entity-bytes=9999999:*', 1],
    ['&dag-scope=entity', 4],
  ])('EX5 with %s has %d blocks', async (query, count) => {
    const { body } = await ask(carUrl(model.cid, query));
    expect((await decodeCar(body)).size).toBe(count);
  });

  it('EX5 is asked for by the Accept header alone, with its wish for repeated blocks echoed', async () => {
    const zeros = await publishBytes(server.store, Buffer.alloc(3 * MIB));
    const accept = { accept: 'application/vnd.ipld.car;version=1;order=dfs;dups=y' };
    const twice = await ask(`${server.url}/ipfs/${zeros.cid}?dag-scope=all`, { headers: accept });
    expect(twice.headers['content-type']).toContain('dups=y');
    expect(twice.body.length).toBeGreaterThan(3 * MIB);
    expect((await ask(carUrl(zeros.cid))).body.length).toBeLessThan(2 * MIB);
  });

  it('EX5 follows the parameters of the URL before the Accept header', async () => {
    const headers = { accept: 'application/vnd.ipld.car;version=2;order=bfs;dups=y' };
    const query = '&car-version=1&car-order=dfs&car-dups=n';
    const car = await ask(carUrl(model.cid, query), { headers });
    expect(car.headers['content-type']).toBe('application/vnd.ipld.car; version=1; order=dfs; dups=n');
    expect((await ask(carUrl(model.cid), { headers })).status).toBe(400);
  });

  it.each([
    ['&car-order=bfs', 400],
    ['&car-order=unk', 200],
    ['&car-version=2', 400],
    ['&dag-scope=some', 400],
    ['&entity-bytes=5:1', 400],
    ['&entity-bytes=first', 400],
  ])('EX5 that is asked for with %s is a %d', async (query, status) => {
    const car = await ask(carUrl(model.cid, query));
    expect(car.status).toBe(status);
    if (status === 200) expect(car.headers['content-type']).toContain('order=dfs');
  });

  it('EX5 of a path begins with the blocks of the path and names its end', async () => {
    const folder = await folderCid();
    const blocks = await decodeCar((await ask(carUrl(`${folder}/onnx/model.onnx`))).body);
    expect([...blocks.keys()].slice(0, 1)).toEqual([folder]);
    expect([...blocks.keys()].slice(2, 3)).toEqual([model.cid]);
    expect(blocks.size).toBe(2 + 4);
  });
});

/** The folder of the model, as the index tells it. */
async function folderCid(): Promise<string> {
  const { models } = jsonOf(await ask(`${server.url}/`)) as { models: { versions: { cid: string }[] }[] };
  return models[0]!.versions[0]!.cid;
}

describe('files and folders', () => {
  it('EX5 come whole, and by range, with the CID as ETag', async () => {
    const url = `${server.url}/ipfs/${model.cid}`;
    const whole = await ask(url);
    expect(whole.body.equals(Buffer.from(model.bytes))).toBe(true);
    expect(whole.headers).toMatchObject({ etag: `"${model.cid}"`, 'accept-ranges': 'bytes' });
    const part = await ask(url, { headers: { range: 'bytes=1048570-1048580' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 1048570-1048580/${model.bytes.length}`]);
    expect(part.body.equals(Buffer.from(model.bytes.subarray(1048570, 1048581)))).toBe(true);
  });

  it.each([`"${'x'}", W/"CID"`, '*', '"CID"'])('EX5 are not sent again to If-None-Match %s', async (tags) => {
    const headers = { 'if-none-match': tags.replaceAll('CID', model.cid) };
    const { status, body } = await ask(`${server.url}/ipfs/${model.cid}`, { headers });
    expect([status, body.length]).toEqual([304, 0]);
  });

  it('EX5 of a model are found by their path below the folder of its version', async () => {
    const folder = await folderCid();
    const file = await ask(`${server.url}/ipfs/${folder}/config.json`);
    expect([file.body.toString(), file.headers['content-type']]).toEqual(['{"a":1}', 'application/json']);
    expect(file.headers['x-ipfs-roots']).toBe(`${folder},${small.cid}`);
    expect((await ask(`${server.url}/ipfs/${folder}/missing.json`)).status).toBe(404);
    const moved = await ask(`${server.url}/ipfs/${folder}`);
    expect([moved.status, moved.headers.location]).toEqual([301, `/ipfs/${folder}/`]);
    const list = await ask(`${server.url}/ipfs/${folder}/`);
    expect(list.body.toString()).toContain('Index of');
    // Programs that copy folders, such as rclone, take a link without a slash at its end for a file.
    expect(list.body.toString()).toContain(`<a href="/ipfs/${folder}/onnx/">onnx</a>`);
    expect(list.body.toString()).toContain(`<a href="/ipfs/${folder}/config.json">config.json</a>`);
  });

  it.each([
    ['nonsense', 400],
    ['bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy', 404],
    [`${'bafkqaaa'}/below`, 404],
    ['%E0%A4%A', 400],
  ])('EX5 named %s are answered with %d', async (path, status) => {
    expect((await ask(`${server.url}/ipfs/${path}`)).status).toBe(status);
  });

  it('EX5 in a format that is not served are a 406', async () => {
    expect((await ask(`${server.url}/ipfs/${model.cid}?format=tar`)).status).toBe(406);
    expect(parseCid(model.cid).cid).toBe(model.cid);
  });
});

describe('providers', () => {
  it('EX5 are this server itself, for what is here', async () => {
    const { port } = new URL(server.url);
    const here = await ask(`${server.url}/routing/v1/providers/${model.cid}`, {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(JSON.parse(here.body.toString())).toMatchObject({
      Schema: 'peer',
      Addrs: [`/ip4/127.0.0.1/tcp/${port}/http`],
      Protocols: ['transport-ipfs-gateway-http'],
    });
    const foreign = await ask(
      `${server.url}/routing/v1/providers/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy`,
    );
    expect(jsonOf(foreign)).toEqual({ Providers: [] });
  });
});
