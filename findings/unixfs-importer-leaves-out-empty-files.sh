#!/bin/sh
# What: `ipfs-unixfs-importer` with its `rabin()` chunker (which `ipfs add --chunker=rabin` has too) leaves empty files out of a folder, without an
#       error: the folder's CID comes out, and an empty `__init__.py` is not in it. With `fixedSize()` it is, and with `rabin()` and the
#       trickle layout too. The balanced layout makes no node of an empty list of chunks, and an empty file gives `rabin()` no chunk.
# Versions: ipfs-unixfs-importer 17.1.1, ipfs-unixfs-exporter 16.2.2, blockstore-core 7.0.1, Node of the machine (20 or later).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts ipfs-unixfs-importer@17.1.1 ipfs-unixfs-exporter@16.2.2 blockstore-core@7.0.1
cat >run.mjs <<'JS'
import { MemoryBlockstore } from 'blockstore-core';
import { exporter } from 'ipfs-unixfs-exporter';
import { importer } from 'ipfs-unixfs-importer';
import { fixedSize, rabin } from 'ipfs-unixfs-importer/chunker';
import { balanced, trickle } from 'ipfs-unixfs-importer/layout';

const files = { 'config.json': '{}', '__init__.py': '' };

async function names(options) {
  const store = new MemoryBlockstore();
  const source = Object.entries(files).map(([path, text]) => ({ path, content: new TextEncoder().encode(text) }));
  let root;
  for await (const entry of importer(source, store, { wrapWithDirectory: true, ...options })) root = entry.cid;
  const found = [];
  for await (const { name } of (await exporter(root, store)).entries()) found.push(name);
  return found.sort().join(' ');
}

const seen = {
  'fixed, balanced': await names({ chunker: fixedSize(), layout: balanced() }),
  'rabin, balanced': await names({ chunker: rabin(), layout: balanced() }),
  'rabin, trickle': await names({ chunker: rabin(), layout: trickle() }),
};
console.log(process.version, seen);
const both = '__init__.py config.json';
process.exit(seen['fixed, balanced'] === both && seen['rabin, balanced'] === 'config.json' && seen['rabin, trickle'] === both ? 0 : 1);
JS
node run.mjs
