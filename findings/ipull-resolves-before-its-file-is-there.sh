#!/bin/sh
# What: `download()` of ipull resolves without an error for an answer that has no Content-Length (chunked, as HTTP/1.1 allows), but there is no
#       file of the wanted name: all bytes are in `NAME.ipull`, which is never renamed. With a Content-Length the file is there.
# Versions: npm ipull 4.0.3, Node of the machine (20 or later).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts ipull@4.0.3
cat >run.mjs <<'JS'
import { createServer } from 'node:http';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { downloadFile } from 'ipull';

const BYTES = Buffer.alloc(5_000_000, 'model');

/** Downloads from a server with this framing. Returns the files that are there when the promise has resolved. */
async function downloaded(directory, hasLength) {
  const server = createServer((request, response) => {
    if (hasLength) response.setHeader('content-length', BYTES.length);
    response.write(BYTES.subarray(0, 1_000_000));
    response.end(BYTES.subarray(1_000_000));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/model.bin`;
  const file = await downloadFile({ url, directory, fileName: 'model.bin', cliProgress: false });
  await file.download();
  server.closeAllConnections();
  server.close();
  return readdirSync(directory).map((name) => `${name} (${statSync(`${directory}/${name}`).size} bytes)`).join(', ');
}

const { version } = JSON.parse(readFileSync('node_modules/ipull/package.json', 'utf8'));
const withLength = await downloaded('with', true);
const without = await downloaded('without', false);
console.error(`ipull ${version}, Node ${process.version}`);
console.error(`with Content-Length: ${withLength}`);
console.error(`without            : ${without}`);
process.exit(withLength === 'model.bin (5000000 bytes)' && without === 'model.bin.ipull (5000000 bytes)' ? 0 : 1);
JS
# It hides and shows the cursor of a terminal on stdout.
node run.mjs >stdout.txt
