#!/bin/sh
# What: `etag()` of Hono in front of its `serveStatic` hashes the body of each answer, also that of a 206: a part of the file has another strong ETag than the
#       whole, and each part has its own. RFC 9110 calls for that of the whole, because it says which parts belong together. So the middleware
#       that lets clients resume safely takes resuming away: undici's RetryAgent goes on after a cut without `etag()`, and ends with "ETag mismatch"
#       with it, although the file is the same and all bytes are right.
# Versions: hono 4.13.19, @hono/node-server 2.1.9, undici 7.30.2 of npm; Node of the machine (20 or later).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts hono@4.13.19 @hono/node-server@2.1.9 undici@7.30.2
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { etag } from 'hono/etag';
import { Agent, RetryAgent, request } from 'undici';

const SIZE = 3_000_000;
const CUT = 1_000_000;
mkdirSync('files');
writeFileSync('files/model.bin', Buffer.alloc(SIZE, 'model'));

/** The port of a proxy that cuts its first answer after `CUT` bytes. */
async function cutOnce(port) {
  let left = CUT;
  const proxy = createServer(({ url, headers }, response) => {
    ask({ host: '127.0.0.1', port, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (left === 0) return answer.pipe(response);
      answer.on('data', (data) => {
        if (left === 0) return;
        const sent = data.subarray(0, left);
        left -= sent.length;
        response.write(sent, () => left === 0 && response.destroy());
      });
    }).end();
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy.address().port;
}

async function seen(...middleware) {
  const app = new Hono();
  for (const one of middleware) app.use(one);
  app.use(serveStatic({ root: './files' }));
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address();
  const tags = [];
  for (const headers of [{}, { range: `bytes=0-${CUT - 1}` }, { range: `bytes=${CUT}-` }]) {
    const { body, headers: shown } = await request(`http://127.0.0.1:${port}/model.bin`, { headers });
    await body.dump();
    tags.push(shown.etag);
  }
  const resumed = request(`http://127.0.0.1:${await cutOnce(port)}/model.bin`, { dispatcher: new RetryAgent(new Agent()) })
    .then(({ body }) => body.arrayBuffer())
    .then(({ byteLength }) => `${byteLength} bytes`, ({ message }) => message);
  return { tags, resumed: await resumed };
}

const [without, withTag] = [await seen(), await seen(etag())];
console.log(process.version, 'without etag():', without, 'with it:', withTag);
const isSame = without.resumed === `${SIZE} bytes` && new Set(withTag.tags).size === 3 && withTag.resumed === 'ETag mismatch';
process.exit(isSame && withTag.tags.every((tag) => /^"[0-9a-f]{40}"$/.test(tag)) ? 0 : 1);
JS
node run.mjs
