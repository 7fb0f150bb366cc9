#!/bin/sh
# What: with undici's cache interceptor the answer to the same range request depends on what was asked before: 206 with ten bytes while the cache
#       has nothing, 200 with the whole file (and a Content-Length of the whole) once somebody has fetched it without a range. HTTP allows a server
#       to ignore Range; that a cache on the client's side does so, which has the bytes and could cut them, breaks code that tried the server.
# Versions: undici 7.30.2 of npm, Node of the machine (20.18.1 or later).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts undici@7.30.2
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Agent, interceptors, request } from 'undici';

const file = '0123456789'.repeat(10);
const server = createServer(({ headers }, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  response.setHeader('cache-control', 'public, max-age=600').setHeader('etag', '"v1"').setHeader('accept-ranges', 'bytes');
  if (first === undefined) return response.end(file);
  response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${file.length}` });
  response.end(file.slice(Number(first), Number(last) + 1));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const dispatcher = new Agent().compose(interceptors.cache());

async function ask(headers) {
  const { statusCode, body } = await request(`http://127.0.0.1:${server.address().port}/`, { dispatcher, headers });
  return `${statusCode} ${(await body.text()).length}`;
}

const range = { range: 'bytes=0-9' };
const seen = [await ask(range), await ask({}), await ask(range)].join(', ');
console.log(process.version, seen);
process.exit(seen === '206 10, 200 100, 200 100' ? 0 : 1);
JS
node run.mjs
