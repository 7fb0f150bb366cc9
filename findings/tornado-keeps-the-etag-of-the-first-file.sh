#!/bin/sh
# What: Tornado's StaticFileHandler hashes a file when it is first asked for, and gives that strong ETag as long as the process lives, also when another file
#       has the name by then: the new bytes come under the old ETag, beside a new Last-Modified, and a request with the
#       `If-None-Match` of the old file gets 304. A client that compares the ETag before it goes on is misled: undici's RetryAgent joins two files, without an error.
# Versions: tornado 6.6.1 of PyPI, undici 7.30.2 of npm; Node (20 or later) and Python (3.11) of the machine.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile tornado==6.6.1
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts undici@7.30.2
mkdir files
cat >serve.py <<'PY'
import asyncio
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, StaticFileHandler


async def main():
    app = Application([("/(.*)", StaticFileHandler, {"path": "files"})], log_function=lambda _: None)
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(app).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
PY
cat >run.mjs <<'JS'
import { once } from 'node:events';
import { renameSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { Agent, RetryAgent, request } from 'undici';

const SIZE = 3_000_000;
const CUT = 1_000_000;
const port = Number(process.argv[2]);
const FIRST = new Date('2026-01-01T00:00:00Z');
const SECOND = new Date('2026-06-01T00:00:00Z');

/** As a deploy does it: complete, then under its name. */
function put(name, letter, at) {
  writeFileSync('files/next', letter.repeat(SIZE));
  utimesSync('files/next', at, at);
  renameSync('files/next', `files/${name}`);
}

async function get(name, headers = {}) {
  const { statusCode, headers: shown, body } = await request(`http://127.0.0.1:${port}/${name}`, { headers });
  const text = await body.text();
  return { statusCode, etag: shown.etag, modified: shown['last-modified'], letter: text[0] };
}

/** The port of a proxy that cuts its first answer after `CUT` bytes, and calls back before it does. */
async function cutOnce(callback) {
  let left = CUT;
  const proxy = createServer(({ url, headers }, response) => {
    ask({ host: '127.0.0.1', port, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (left === 0) return answer.pipe(response);
      answer.on('data', (data) => {
        if (left === 0) return;
        const sent = data.subarray(0, left);
        left -= sent.length;
        if (left === 0) callback();
        response.write(sent, () => left === 0 && response.destroy());
      });
    }).end();
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy.address().port;
}

put('a.bin', 'a', FIRST);
const first = await get('a.bin');
put('a.bin', 'b', SECOND);
const second = await get('a.bin');
const unchanged = await get('a.bin', { 'if-none-match': first.etag });
console.log('first file :', first);
console.log('second file:', second, 'with If-None-Match:', unchanged.statusCode);

put('b.bin', 'a', FIRST);
const proxy = await cutOnce(() => put('b.bin', 'b', SECOND));
const { body } = await request(`http://127.0.0.1:${proxy}/b.bin`, { dispatcher: new RetryAgent(new Agent()) });
const joined = await body.text();
console.log(`RetryAgent: ${joined.length} bytes, ${joined.lastIndexOf('a') + 1} of the first file, the rest of the second`);

const isOld = first.letter === 'a' && second.letter === 'b' && first.etag === second.etag && /^"[0-9a-f]{128}"$/.test(first.etag);
const isNew = first.modified !== second.modified && second.statusCode === 200 && unchanged.statusCode === 304;
process.exit(isOld && isNew && joined.length === SIZE && joined.startsWith('a') && joined.endsWith('b') ? 0 : 1);
JS
venv/bin/python serve.py >port &
server=$!
until grep -q . port; do sleep 0.1; done
node run.mjs "$(cat port)"
