#!/bin/sh
# What: `fetch` and undici report a body without Content-Length as complete when its connection is reset (RST), so a download that was cut
#       off looks finished. `node:http`, curl and Python report ECONNRESET on the same bytes. Node 20 goes further: when the reset arrives
#       together with the last data, its `net` emits "end" without an error, and `node:http` is complete, too.
# Versions: Node 20.20.2 and 24.21.0 (npm package node), undici 7.30.2, curl and Python of the machine; Linux.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent node20@npm:node@20.20.2 node24@npm:node@24.21.0 undici@7.30.2
cat >run.mjs <<'JS'
import { execFile } from 'node:child_process';
import { get } from 'node:http';
import { connect, createServer } from 'node:net';
import { request } from 'undici';

// Promises a body that lasts until the connection ends, sends the first 1,000 bytes and resets.
const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${'x'.repeat(1000)}`);
    setImmediate(() => socket.resetAndDestroy());
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
const url = `http://127.0.0.1:${port}/`;
const told = (promise) => promise.then((bytes) => `complete with ${bytes} bytes`, (error) => `error ${error.cause?.code ?? error.code}`);
const child = (program, words) =>
  new Promise((resolve, reject) => execFile(program, words, (error, stdout) => (error ? reject(error) : resolve(stdout.length))));
const PYTHON = `
import socket, time
s = socket.create_connection(('127.0.0.1', ${port})); s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'); time.sleep(0.3)
while s.recv(4096): pass
`;
const seen = {
  net: await told(
    new Promise((resolve, reject) => {
      let bytes = 0;
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.on('data', (data) => (bytes += data.length)).on('end', () => resolve(bytes)).on('error', reject);
    }),
  ),
  fetch: await told(fetch(url).then((response) => response.arrayBuffer()).then((body) => body.byteLength)),
  undici: await told(request(url).then(({ body }) => body.arrayBuffer()).then((body) => body.byteLength)),
  'node:http': await told(
    new Promise((resolve, reject) => {
      get(url, (response) => {
        let bytes = 0;
        response.on('data', (data) => (bytes += data.length)).on('end', () => resolve(bytes)).on('error', reject);
      }).on('error', reject);
    }),
  ),
  curl: await told(child('curl', ['-sS', url])),
  python: await told(child('python3', ['-c', PYTHON])),
};
server.close();
console.log(process.version, process.platform);
for (const [name, what] of Object.entries(seen)) console.log(name.padEnd(10), what);
const ended = Object.keys(seen).filter((name) => seen[name].startsWith('complete')).join(' ');
const expected = process.argv[2];
process.exit(ended === expected && seen.curl === 'error 56' && seen.python === 'error 1' ? 0 : 1);
JS
./node_modules/node20/bin/node run.mjs 'net fetch undici node:http'
./node_modules/node24/bin/node run.mjs 'fetch undici'
