#!/bin/sh
# What: `getAll()` of the blockstores of Helia gives the blocks under other CIDs than those of `put()`. They keep the multihash alone and make up the rest:
#       MemoryBlockstore calls each block raw, FsBlockstore calls each a CIDv0, which means dag-pb, the raw leaves too, and it throws at the first block
#       whose hash is not SHA-256. A CAR of what `getAll()` gives is written without an error, and its root is not in it. A CAR of the same
#       blocks under the CIDs of `put()` gives the file.
# Versions: blockstore-core 7.0.1, blockstore-fs 4.0.1, @ipld/car 5.4.7, ipfs-unixfs-importer 17.1.1, ipfs-unixfs-exporter 16.2.2, multiformats 14.0.5 of npm;
#       Node of the machine (20 or later).
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts multiformats@14.0.5 \
  blockstore-core@7.0.1 blockstore-fs@4.0.1 @ipld/car@5.4.7 ipfs-unixfs-importer@17.1.1 ipfs-unixfs-exporter@16.2.2
cat >run.mjs <<'JS'
import { CarReader, CarWriter } from '@ipld/car';
import { MemoryBlockstore } from 'blockstore-core';
import { FsBlockstore } from 'blockstore-fs';
import { exporter } from 'ipfs-unixfs-exporter';
import { importer } from 'ipfs-unixfs-importer';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { sha512 } from 'multiformats/hashes/sha2';

// Two leaves, which differ.
const content = Buffer.concat([Buffer.alloc(262_144, 'a'), Buffer.alloc(1000, 'b')]);
const CODECS = { 0x55: 'raw', 0x70: 'dag-pb' };

async function joined(parts) {
  const all = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

const kinds = (blocks) => blocks.map(({ cid }) => `v${cid.version} ${CODECS[cid.code]}`).sort().join(', ');

/** How many blocks `getAll()` gives, or the error that it throws. */
async function counted(store) {
  let count = 0;
  try {
    for await (const { cid } of store.getAll()) count += cid.multihash.bytes.length > 0 ? 1 : 0;
  } catch ({ name, message }) {
    return `${name}: ${message}`;
  }
  return `${count} blocks`;
}

/** What comes of a file out of a CAR of these blocks. */
async function throughCar(root, blocks) {
  const { writer, out } = CarWriter.create([root]);
  const written = joined(out);
  for (const block of blocks) await writer.put(block);
  await writer.close();
  const car = await CarReader.fromBytes(await written);
  if (!(await car.has(root))) return 'the root is not in it';
  const store = { get: async function* (cid) { yield (await car.get(cid)).bytes; } };
  const file = await exporter(root, store);
  return `${(await joined(file.content())).length} bytes`;
}

async function seen(store) {
  await store.open?.();
  const put = [];
  const noting = {
    put: (cid, bytes) => {
      put.push({ cid, bytes });
      return store.put(cid, bytes);
    },
  };
  let root;
  for await (const { cid } of importer([{ content }], noting)) root = cid;
  const got = [];
  for await (const { cid, bytes } of store.getAll()) got.push({ cid, bytes: await joined(bytes) });
  const result = { put: kinds(put), getAll: kinds(got), 'CAR of put': await throughCar(root, put), 'CAR of getAll': await throughCar(root, got) };
  const bytes = new TextEncoder().encode('model');
  await store.put(CID.createV1(raw.code, await sha512.digest(bytes)), bytes);
  result['with a block of SHA-512'] = await counted(store);
  return result;
}

const results = { MemoryBlockstore: await seen(new MemoryBlockstore()), FsBlockstore: await seen(new FsBlockstore('blocks')) };
console.log(process.version, results);
const written = ['v1 dag-pb, v1 raw, v1 raw', `${content.length} bytes`, 'the root is not in it'];
const wanted = {
  MemoryBlockstore: ['v1 raw, v1 raw, v1 raw', '4 blocks'],
  FsBlockstore: ['v0 dag-pb, v0 dag-pb, v0 dag-pb', 'RangeError: Invalid CID version 19'],
};
const isSame = Object.entries(results).every(([name, one]) => {
  const [given, all] = wanted[name];
  return JSON.stringify(Object.values(one)) === JSON.stringify([written[0], given, written[1], written[2], all]);
});
process.exit(isSame ? 0 : 1);
JS
node run.mjs
