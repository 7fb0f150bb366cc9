#!/bin/sh
# What: `listFiles` of @huggingface/hub, and so `snapshotDownload`, takes a page whose `Link: <…>; rel="next"` is a relative reference for the
#       last one. It ends without an error, and files are missing. RFC 8288 lets a server write the target relative to the address of the
#       answer; the same list with absolute targets is complete.
# Versions: npm @huggingface/hub 2.17.5, Node of the machine (20 or later).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts @huggingface/hub@2.17.5
cat >run.mjs <<'JS'
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { listFiles } from '@huggingface/hub';

const NAMES = ['a.bin', 'b.bin', 'c.bin', 'd.bin', 'e.bin'];
const PAGE = 2;

/** A list of files in pages, as a hub sends it. */
async function listed(isRelative) {
  const server = createServer(({ url, headers }, response) => {
    const at = new URL(url, `http://${headers.host}`);
    const start = Number(at.searchParams.get('cursor') ?? 0);
    const next = new URL(at);
    next.searchParams.set('cursor', start + PAGE);
    const target = isRelative ? `${next.pathname}${next.search}` : next.href;
    if (start + PAGE < NAMES.length) response.setHeader('link', `<${target}>; rel="next"`);
    const entries = NAMES.slice(start, start + PAGE).map((path) => ({ type: 'file', path, size: 1, oid: 'a'.repeat(40) }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(entries));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const names = [];
  const hubUrl = `http://127.0.0.1:${server.address().port}`;
  for await (const { path } of listFiles({ repo: 'acme/tiny', hubUrl })) names.push(path);
  server.closeAllConnections();
  server.close();
  return names.length;
}

const { version } = JSON.parse(readFileSync('node_modules/@huggingface/hub/package.json', 'utf8'));
const [absolute, relative] = [await listed(false), await listed(true)];
console.log(`@huggingface/hub ${version}, Node ${process.version}`);
console.log(`absolute next links: ${absolute} of ${NAMES.length} files`);
console.log(`relative next links: ${relative} of ${NAMES.length} files, without an error`);
process.exit(absolute === NAMES.length && relative === PAGE ? 0 : 1);
JS
node run.mjs
