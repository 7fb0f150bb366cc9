#!/bin/sh
# What: the Blob that `fs.openAsBlob()` of Node gives has the size of its file modulo 4 GiB, without an error: 5 for a file of 4 GiB and five bytes, 0 for one of
#       4 GiB. `slice()` goes by that size, so a program that sends a file in parts, as uploads to S3 and hubs do, sends five bytes and is done; a slice
#       of what lies behind is empty. `stream()` of the same Blob does not end there and gives the bytes of the file. The reason is that Node hands
#       the size to JavaScript as an unsigned number of 32 bits.
# Versions: node 20.20.2, 24.21.0 and 26.10.0 of npm; Linux x64. The file is 4 GiB of zeros that the file system need not store, and a few bytes.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent node20@npm:node@20.20.2 node24@npm:node@24.21.0 node26@npm:node@26.10.0
cat >run.mjs <<'JS'
import { closeSync, createReadStream, ftruncateSync, openAsBlob, openSync, statSync, writeSync } from 'node:fs';

const GIB = 2 ** 30;
const PART = 64 * 2 ** 20;

/** A file that begins with "first" and ends with "last!". */
function write(name, size) {
  const file = openSync(name, 'w');
  writeSync(file, 'first', 0);
  ftruncateSync(file, size);
  writeSync(file, 'last!', size - 5);
  closeSync(file);
}

write('model.gguf', 4 * GIB + 5);
write('exact.gguf', 4 * GIB);
const blob = await openAsBlob('model.gguf');
let inParts = '';
for (let start = 0; start < blob.size; start += PART) inParts += await blob.slice(start, start + PART).text();
let end = '';
for await (const data of createReadStream('model.gguf', { start: 4 * GIB })) end += data;
const reader = blob.stream().getReader();
const { value } = await reader.read();
await reader.cancel();
const seen = {
  file: statSync('model.gguf').size,
  blob: blob.size,
  'in parts': inParts,
  'slice from 4 GiB': await blob.slice(4 * GIB, 4 * GIB + 5).text(),
  'read stream from 4 GiB': end,
  'blob of a file of 4 GiB': (await openAsBlob('exact.gguf')).size,
};
console.log(process.version, seen, `first chunk of stream(): ${value.byteLength} bytes`);
process.exit(JSON.stringify(Object.values(seen)) === '[4294967301,5,"first","","last!",0]' && value.byteLength > 5 ? 0 : 1);
JS
for node in node20 node24 node26; do "./node_modules/$node/bin/node" run.mjs; done
