import { afterEach, describe, expect, it } from '@jest/globals';
import { decodeCar } from '#content/dag/car';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { leafCid } from '#content/leaf/leaf-block';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import { fromBlocks, makeBlocks } from '../../helpers/dag/dag.ts';
import type { FaultRule } from '../../helpers/origin/origin-fault.ts';
import { hold } from '../../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { sha256Of, temporaryStore } from '../store/temp-store.ts';
import { ask, cleansUp, numbered, served, type Served } from './serve-kit.ts';

cleansUp();

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const WEIGHTS = numbered(6 * MIB + 5);
const PROFILES = ['unixfs-v1-2025', 'unixfs-v0-2015'] as const;

interface Mirror extends Served {
  readonly gateway: Origin;
}

/** A server that may fetch the file from a gateway that takes about a second for it. */
async function slowMirror(dag: ReturnType<typeof makeBlocks>, rules: readonly FaultRule[] = []): Promise<Mirror> {
  const content = { ipfs: { [dag.cid]: WEIGHTS }, blocks: dag.blocks };
  const gateway = await startOrigin(content, [], { bytesPerSecond: 6 * MIB, rules: [...rules] });
  const store = await temporaryStore();
  const http = createHttp({ addressPolicy: parseAddressPolicy([]), timeouts: { stallMs: 2_000 } });
  const upstream = { http, hfEndpoint: 'http://127.0.0.1:9', gateways: [gateway.url] };
  const pull = pullThrough({ store, allow: [dag.cid], upstream })!;
  open.push(
    () => gateway.close(),
    () => http.close(),
    () => pull.stop(),
  );
  return { ...(await served({ store, pull })), gateway };
}

const blockUrl = ({ url }: Served, cid: string): string => `${url}/ipfs/${cid}?format=raw`;

describe.each(PROFILES)('blocks of a file of %s that is being fetched', (profile) => {
  const dag = makeBlocks(WEIGHTS, { profile });

  it('EX5 F17 are given one by one as they arrive, and the file is fetched once', async () => {
    const mirror = await slowMirror(dag);
    const isProvider = async (cid: string): Promise<boolean> =>
      (await ask(`${mirror.url}/routing/v1/providers/${cid}`)).body.includes('transport-ipfs-gateway-http');
    expect(await isProvider(dag.cid)).toBe(true);
    const root = await ask(blockUrl(mirror, dag.cid));
    expect(root.body.equals(dag.blocks.get(dag.cid)!)).toBe(true);
    expect(await mirror.store.look(sha256Of(WEIGHTS))).toBeUndefined();
    const { table } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
    const leaves = Array.from({ length: table.count }, (_, leaf) => leafCid(table, leaf)!);
    expect(await isProvider(leaves.at(-1)!)).toBe(true);
    const blocks = await Promise.all(leaves.map((cid) => ask(blockUrl(mirror, cid))));
    for (const [leaf, { body }] of blocks.entries()) expect(body.equals(dag.blocks.get(leaves[leaf]!)!)).toBe(true);
    const sentBytes = mirror.gateway.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sentBytes).toBeLessThan(WEIGHTS.length + 100_000);
  });

  it('EX5 F17 make a whole CAR, whose first blocks are sent before the file is here', async () => {
    const mirror = await slowMirror(dag);
    const response = await fetch(`${mirror.url}/ipfs/${dag.cid}?format=car`);
    const reader = response.body!.getReader();
    const first = await reader.read();
    expect(await mirror.store.look(sha256Of(WEIGHTS))).toBeUndefined();
    const parts = [first.value!];
    for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
    expect([...(await decodeCar(Buffer.concat(parts))).keys()].sort()).toEqual([...dag.blocks.keys()].sort());
  });

  it('EX5 F17 prove a range of the file before all of it is here', async () => {
    const { fault, go } = hold(WEIGHTS.length - 10);
    const mirror = await slowMirror(dag, [{ fault }]);
    const range = 'bytes=1000000-2999999';
    const { status, body } = await ask(`${mirror.url}/ipfs/${dag.cid}`, { headers: { range } });
    expect([status, body.equals(WEIGHTS.subarray(1_000_000, 3_000_000))]).toEqual([206, true]);
    expect(await mirror.store.look(sha256Of(WEIGHTS))).toBeUndefined();
    go();
  });

  it('EX5 F17 are not found, and a CAR breaks off, when the file cannot be had', async () => {
    const { table } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
    const last = leafCid(table, table.count - 1)!;
    const mirror = await slowMirror(dag, [
      { path: new RegExp(`^/ipfs/${dag.cid}$`), fault: { do: 'flip', atByte: WEIGHTS.length - 1 } },
      { path: last, fault: { do: 'status', status: 404 } },
    ]);
    const { status, isBroken } = await ask(`${mirror.url}/ipfs/${dag.cid}?format=car`);
    expect([status, isBroken]).toEqual([200, true]);
    expect((await ask(blockUrl(mirror, last))).status).toBe(404);
  });
});
