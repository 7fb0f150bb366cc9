#!/bin/sh
# What: Node's own zstd decoder gives another result for the same valid bytes, depending on how they are cut into chunks, and no error.
#       Of two frames one behind another, which RFC 8878 calls one valid stream and which `pzstd` and `cat a.zst b.zst` write, Node 24 gives
#       both when they come byte by byte, and the first alone when they come in one chunk. A stream that begins with a skippable frame, as
#       that of `pzstd` does, gives no bytes at all then. Node 26 gives the whole content both times.
# Versions: node 24.21.0 and 26.10.0 of npm, both with zstd 1.5.7; Linux x64.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >decode.mjs <<'JS'
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';

const [first, second] = ['first ', 'second'].map((text) => zstdCompressSync(text));
const skippable = Buffer.from('502a4d18040000006d657461', 'hex');

async function decode(chunks) {
  const decoder = createZstdDecompress();
  for (const chunk of chunks) decoder.write(chunk);
  decoder.end();
  let text = '';
  for await (const part of decoder) text += part;
  return text;
}

const seen = [];
for (const bytes of [Buffer.concat([first, second]), Buffer.concat([skippable, first])])
  seen.push(await decode([bytes]), await decode([...bytes].map((byte) => Buffer.of(byte))));
console.log(process.version, JSON.stringify(seen));
if (JSON.stringify(seen) !== process.argv[2]) process.exit(1);
JS
npm init -y >/dev/null
# Two frames in one chunk, byte by byte; a skippable frame and a frame in one chunk, byte by byte.
npx -y -p node@24.21.0 node decode.mjs '["first ","first second","","first "]'
npx -y -p node@26.10.0 node decode.mjs '["first second","first second","first ","first "]'
