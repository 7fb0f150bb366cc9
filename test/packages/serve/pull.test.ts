import { afterEach, describe, expect, it } from '@jest/globals';
import { createDagBuilder } from '#content/dag/dag-builder';
import { folderDag } from '#content/dag/folder-dag';
import { leafCid } from '#content/leaf/leaf-block';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { pullThrough, type PullThrough } from '#serve/pull/pull-through';
import type { ServeOptions } from '#serve/serve';
import type { Store } from '#store/open-store';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { sha256Of, temporaryStore } from '../store/temp-store.ts';
import { ask, cleansUp, hubView, jsonOf, numbered, publishBytes, served } from './serve-kit.ts';

cleansUp();

const COMMIT = 'abcdef0123456789abcdef0123456789abcdef01';
const WEIGHTS = numbered(3 * MIB + 11);
const CONFIG = Buffer.from('{"small":true}');
const REPO = { commit: COMMIT, files: { 'onnx/model.onnx': WEIGHTS, 'config.json': CONFIG } };

interface Mirror {
  readonly url: string;
  readonly store: Store;
  readonly hub: Origin;
}

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const newHttp = (): Http => createHttp({ addressPolicy: parseAddressPolicy([]), timeouts: { stallMs: 2_000 } });

/** A server that may fetch `acme/*` from the hub of an origin. */
async function mirrorOf(hub: Origin, { store, ...options }: Partial<ServeOptions> = {}): Promise<Mirror> {
  const own = store ?? (await temporaryStore());
  const http = newHttp();
  const upstream = { http, hfEndpoint: hub.url, hfToken: 'hf_of_this_host', gateways: [] };
  const pull: PullThrough = pullThrough({ store: own, allow: ['acme/*'], upstream })!;
  const { url } = await served({ ...options, store: own, pull });
  open.push(
    () => http.close(),
    () => pull.stop(),
  );
  return { url, store: own, hub };
}

async function newMirror(options: Partial<ServeOptions> = {}): Promise<Mirror> {
  const hub = await startOrigin({ repos: { 'acme/tiny': REPO, 'other/tiny': REPO } });
  open.push(() => hub.close());
  return mirrorOf(hub, options);
}

const bytesAsked = ({ requests }: Origin): number =>
  requests.filter(({ path }) => /resolve.*onnx/.test(path)).reduce((sum, { bytesSent }) => sum + bytesSent, 0);

describe('a server that may fetch', () => {
  it('EX5 F17 fetches a file once for many clients, and has it then', async () => {
    const { url, store, hub } = await newMirror();
    const file = `${url}/acme/tiny/resolve/main/onnx/model.onnx`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(file)));
    for (const { status, headers, body, isBroken } of answers) {
      expect([status, isBroken, headers['x-repo-commit']]).toEqual([200, false, COMMIT]);
      expect(body.equals(WEIGHTS)).toBe(true);
    }
    expect(bytesAsked(hub)).toBe(WEIGHTS.length);
    expect((await store.look(sha256Of(WEIGHTS)))?.sizeBytes).toBe(WEIGHTS.length);
    expect((await ask(file)).body.equals(WEIGHTS)).toBe(true);
    expect(bytesAsked(hub)).toBe(WEIGHTS.length);
  });

  it('EX5 answers a HEAD and descriptions from the list of the hub, without a byte of the file', async () => {
    const { url, hub } = await newMirror();
    const { headers } = await ask(`${url}/acme/tiny/resolve/main/onnx/model.onnx`, { method: 'HEAD' });
    expect(headers).toMatchObject({
      ...{ 'x-repo-commit': COMMIT, etag: `"${sha256Of(WEIGHTS)}"`, 'x-linked-size': `${WEIGHTS.length}` },
      'content-length': `${WEIGHTS.length}`,
    });
    expect(jsonOf(await ask(`${url}/api/models/acme/tiny`))).toMatchObject({
      ...{ id: 'acme/tiny', sha: COMMIT },
      siblings: [{ rfilename: 'config.json' }, { rfilename: 'onnx/model.onnx' }],
    });
    expect(jsonOf(await ask(url))).toMatchObject({ models: [], fetches: ['acme/*'] });
    expect(bytesAsked(hub)).toBe(0);
  });

  it('EX5 gives small files, which only their git name proves', async () => {
    const { url } = await newMirror();
    const file = `${url}/acme/tiny/resolve/main/config.json`;
    expect((await ask(file)).body).toEqual(CONFIG);
    expect((await ask(file)).body).toEqual(CONFIG);
  });

  it('EX5 answers ranges of a file that is not here yet', async () => {
    const { url } = await newMirror();
    const file = `${url}/acme/tiny/resolve/main/onnx/model.onnx`;
    const [probe, part] = await Promise.all([
      ask(file, { headers: { range: 'bytes=0-0' } }),
      ask(file, { headers: { range: 'bytes=2000000-' } }),
    ]);
    expect([probe.status, probe.headers['content-range']]).toEqual([206, `bytes 0-0/${WEIGHTS.length}`]);
    expect(part.body.equals(WEIGHTS.subarray(2_000_000))).toBe(true);
  });

  it('EX5 F17 lets no client complete a file that turns out to be wrong', async () => {
    const hub = await startOrigin({ repos: { 'acme/tiny': REPO } }, [], {
      rules: [{ path: /resolve.*onnx/, fault: { do: 'flip', atByte: 1000 } }],
    });
    open.push(() => hub.close());
    const { url, store } = await mirrorOf(hub);
    const answers = await Promise.all([1, 2].map(() => ask(`${url}/acme/tiny/resolve/main/onnx/model.onnx`)));
    for (const { status, isBroken, body } of answers) {
      expect(status === 503 || isBroken).toBe(true);
      expect(body.length).toBeLessThan(WEIGHTS.length);
    }
    expect(await store.look(sha256Of(WEIGHTS))).toBeUndefined();
  });

  it('EX5 F23 says that a file is gated where the hub describes it and refuses its bytes', async () => {
    const gated = { do: 'status', status: 403, headers: { 'x-error-code': 'GatedRepo' } } as const;
    const hub = await startOrigin({ repos: { 'acme/tiny': REPO } }, [], { rules: [{ path: /resolve/, fault: gated }] });
    open.push(() => hub.close());
    const { url } = await mirrorOf(hub);
    const { status, headers } = await ask(`${url}/acme/tiny/resolve/main/onnx/model.onnx`);
    expect([status, headers['x-error-code']]).toEqual([403, 'GatedRepo']);
  });

  it('EX5 breaks off for a client that had bytes which were wrong, and gives the right ones to the next', async () => {
    const hub = await startOrigin({ repos: { 'acme/tiny': REPO } }, [], {
      rules: [{ path: /resolve.*onnx/, fault: { do: 'flip', atByte: 1000 }, times: 1 }],
      bytesPerSecond: 20 * MIB,
    });
    open.push(() => hub.close());
    const { url } = await mirrorOf(hub);
    const file = `${url}/acme/tiny/resolve/main/onnx/model.onnx`;
    const first = await ask(file);
    if (first.isBroken || first.status !== 200) expect(first.body.length).toBeLessThan(WEIGHTS.length);
    else expect(first.body.equals(WEIGHTS)).toBe(true);
    expect((await ask(file)).body.equals(WEIGHTS)).toBe(true);
  });

  it('EX5 answers while the hub is away, from what it was told and has, also after a start', async () => {
    const { url, store, hub } = await newMirror();
    await ask(`${url}/acme/tiny/resolve/main/onnx/model.onnx`);
    await hub.close();
    const later = await mirrorOf(hub, { store });
    const file = await ask(`${later.url}/acme/tiny/resolve/main/onnx/model.onnx`);
    expect([file.status, file.headers['x-repo-commit']]).toEqual([200, COMMIT]);
    expect(file.body.equals(WEIGHTS)).toBe(true);
    // huggingface_hub waits for as long five times before its user sees why.
    const away = await ask(`${later.url}/api/models/acme/none`);
    expect([away.status, away.headers['retry-after']]).toEqual([503, '5']);
  });

  it('EX5 fetches nothing that is not allowed, and sends the token of the host to the hub alone', async () => {
    const { url, hub } = await newMirror();
    const refused = await ask(`${url}/other/tiny/resolve/main/config.json`);
    expect(refused.headers['x-error-code']).toBe('RepoNotFound');
    expect(hub.requests).toEqual([]);
    const { headers } = await ask(`${url}/acme/tiny/resolve/main/config.json`, {
      headers: { authorization: 'Bearer hf_of_the_client' },
    });
    expect(JSON.stringify(headers)).not.toContain('hf_of_this_host');
    for (const { headers: sent } of hub.requests) expect(sent['authorization']).toBe('Bearer hf_of_this_host');
  });

  it('EX5 hides what the hub says of a private model from readers without a token', async () => {
    const { url, store } = await newMirror({
      access: { tokens: ['known'], networks: ['127.0.0.0/8'] },
      privateModels: ['tiny'],
    });
    const paths = [`${url}/api/models/acme/tiny`, `${url}/acme/tiny/resolve/main/onnx/model.onnx`];
    for (const path of paths) expect((await ask(path, { method: 'HEAD' })).status).toBe(200);
    await publishBytes(store, CONFIG, { view: hubView('config.json') });
    for (const path of paths) {
      expect((await ask(path, { method: 'HEAD' })).headers['x-error-code']).toBe('RepoNotFound');
      const known = await ask(path, { method: 'HEAD', headers: { authorization: 'Bearer known' } });
      expect([known.status, known.headers['x-error-code']]).toEqual([200, undefined]);
    }
  });

  it.each([
    ['acme/none', 'main', 'RepoNotFound'],
    ['acme/tiny', 'dev', 'RevisionNotFound'],
  ])('EX5 says of %s at %s what the hub says', async (repo, revision, code) => {
    const { url } = await newMirror();
    const { headers } = await ask(`${url}/${repo}/resolve/${revision}/config.json`, { method: 'HEAD' });
    expect(headers['x-error-code']).toBe(code);
  });
});

/** A gateway with these bytes as a file, below a folder, and a server that may fetch what `allow` names. */
async function gatewayMirror(allow: (folder: string, file: string) => string[]) {
  const builder = createDagBuilder('unixfs-v1-2025');
  builder.update(WEIGHTS);
  const { table, cid, innerBlocks } = builder.finish();
  const folder = folderDag([{ path: 'onnx/model.onnx', cid, tsize: WEIGHTS.length }], 1)!;
  const blocks = new Map([...innerBlocks, ...folder.blocks]);
  for (let leaf = 0; leaf < table.count; leaf += 1)
    blocks.set(leafCid(table, leaf)!, WEIGHTS.subarray(table.starts[leaf]!, table.starts[leaf + 1]!));
  const gateway = await startOrigin({ ipfs: { [cid]: WEIGHTS }, blocks });
  const store = await temporaryStore();
  const http = newHttp();
  const upstream = { http, hfEndpoint: 'http://127.0.0.1:9', gateways: [gateway.url] };
  const pull = pullThrough({ store, allow: allow(folder.cid, cid), upstream })!;
  open.push(
    () => gateway.close(),
    () => http.close(),
    () => pull.stop(),
  );
  const { url } = await served({ store, pull });
  const sentBytes = (): number => gateway.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  return { url, cid, folder: folder.cid, firstLeaf: leafCid(table, 0)!, sentBytes };
}

describe('a gateway that may fetch', () => {
  it('EX5 F17 fetches an allowed CID once, sends it while it arrives, and has its blocks then', async () => {
    const { url, cid, firstLeaf, sentBytes } = await gatewayMirror((_, file) => [file]);
    const answers = await Promise.all([1, 2, 3].map(() => ask(`${url}/ipfs/${cid}`)));
    for (const { status, body } of answers) expect([status, body.equals(WEIGHTS)]).toEqual([200, true]);
    expect(sentBytes()).toBeLessThan(WEIGHTS.length + 10_000);
    const block = await ask(`${url}/ipfs/${firstLeaf}?format=raw`);
    expect(block.body.equals(WEIGHTS.subarray(0, MIB))).toBe(true);
    const foreign = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
    expect((await ask(`${url}/ipfs/${foreign}`)).status).toBe(404);
  });

  it('EX5 follows a path below an allowed folder, and keeps the folder', async () => {
    const { url, folder, sentBytes } = await gatewayMirror((root) => [root]);
    const car = await ask(`${url}/ipfs/${folder}/onnx/model.onnx?format=car`);
    expect([car.status, car.isBroken]).toEqual([200, false]);
    const file = await ask(`${url}/ipfs/${folder}/onnx/model.onnx`);
    expect(file.body.equals(WEIGHTS)).toBe(true);
    expect(sentBytes()).toBeLessThan(WEIGHTS.length + 10_000);
    const list = await ask(`${url}/ipfs/${folder}/onnx/`);
    expect(list.body.toString()).toContain('model.onnx');
    expect((await ask(`${url}/ipfs/${folder}/none`)).status).toBe(404);
  });

  it('EX5 answers a HEAD by the nodes of a file, without a byte of its content', async () => {
    const { url, cid, folder, sentBytes } = await gatewayMirror((root, file) => [root, file]);
    for (const path of [cid, `${folder}/onnx/model.onnx`]) {
      const { status, headers } = await ask(`${url}/ipfs/${path}`, { method: 'HEAD' });
      const facts = [status, headers['content-length'], headers.etag];
      expect(facts).toEqual([200, `${WEIGHTS.length}`, `"${cid}"`]);
    }
    expect(sentBytes()).toBeLessThan(10_000);
  });

  it('EX5 fetches nothing for a client that asks what is cached', async () => {
    const { url, cid, sentBytes } = await gatewayMirror((_, file) => [file]);
    const headers = { 'cache-control': 'only-if-cached' };
    expect((await ask(`${url}/ipfs/${cid}`, { method: 'HEAD', headers })).status).toBe(412);
    expect(sentBytes()).toBe(0);
  });
});
