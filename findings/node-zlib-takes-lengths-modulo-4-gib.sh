#!/bin/sh
# What: node:zlib takes the length of its data modulo 4 GiB, without an error. `gzipSync`, `brotliCompressSync` and `zstdCompressSync` pack five bytes of a
#       buffer of 4 GiB and five bytes: what they give is a valid archive of these five, and the rest is lost. `crc32` is that of the five bytes, too.
#       Node 20 allows no buffer beyond 4 GiB, and of one of exactly 4 GiB takes nothing. `createHash().update()` refuses such a buffer
#       with ERR_OUT_OF_RANGE; smaller pieces, with the value so far as second argument of `crc32`, are right.
# Versions: node 20.20.2, 24.21.0 and 26.10.0 of npm; Linux x64. The buffer is 4 GiB of zeros that the system need not store, and three bytes.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent node20@npm:node@20.20.2 node24@npm:node@24.21.0 node26@npm:node@26.10.0
cat >run.mjs <<'JS'
import { constants } from 'node:buffer';
import { createHash } from 'node:crypto';
import zlib from 'node:zlib';

const GIB = 2 ** 30;
const size = Math.min(4 * GIB + 5, constants.MAX_LENGTH);
const bytes = Buffer.alloc(size);
for (const at of [0, 3 * GIB, size - 1]) bytes[at] = 1;

const packed = { gzip: zlib.gunzipSync(zlib.gzipSync(bytes)), brotli: zlib.brotliDecompressSync(zlib.brotliCompressSync(bytes)) };
if (zlib.zstdCompressSync !== undefined) packed.zstd = zlib.zstdDecompressSync(zlib.zstdCompressSync(bytes));
const lengths = Object.entries(packed).map(([name, { length }]) => `${name} ${length}`);
console.log(`${process.version}: ${size} bytes; packed and unpacked: ${lengths.join(', ')}`);

const whole = zlib.crc32(bytes);
const some = zlib.crc32(bytes.subarray(0, size % (4 * GIB)));
let right = 0;
for (let start = 0; start < size; start += GIB) right = zlib.crc32(bytes.subarray(start, start + GIB), right);
console.log(`crc32 ${whole}, in pieces ${right}, of the first ${size % (4 * GIB)} bytes ${some}`);

let refused;
try {
  createHash('sha256').update(bytes);
} catch (error) {
  refused = error.code;
}
console.log(`createHash: ${refused}`);
const isSame = Object.values(packed).every(({ length }) => length === size % (4 * GIB));
process.exit(isSame && whole === some && whole !== right && refused === 'ERR_OUT_OF_RANGE' ? 0 : 1);
JS
for node in node20 node24 node26; do "./node_modules/$node/bin/node" run.mjs; done
