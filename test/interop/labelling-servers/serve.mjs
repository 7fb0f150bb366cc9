// File servers by others over one folder, each on a port of its own. Prints their addresses as one line of JSON.
// Arguments: the folder, and a file with the key and certificate of those that speak TLS.
import { once } from 'node:events';
import { readFileSync, createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { join } from 'node:path';
import Hapi from '@hapi/hapi';
import Inert from '@hapi/inert';
import compression from 'compression';
import express from 'express';
import httpServer from 'http-server';
import Koa from 'koa';
import send from 'koa-send';
import serveHandler from 'serve-handler';
import sirv from 'sirv';

const [, , folder, tlsFile] = process.argv;
const tls = JSON.parse(readFileSync(tlsFile, 'utf8'));
const urls = {};

async function listen(name, server, scheme = 'http') {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  urls[name] = `${scheme}://127.0.0.1:${server.address().port}`;
}

/** Express with something before its file server. */
const withBefore = (before) => createServer(express().use(before).use(express.static(folder)));

await listen(
  'express',
  withBefore((_request, _response, next) => next()),
);
await listen('express with compression', withBefore(compression({ filter: () => true, threshold: 0 })));
for (const type of ['text/html', 'application/json'])
  await listen(
    `express that says ${type}`,
    withBefore((_request, response, next) => (response.type(type), next())),
  );
for (const coding of ['x-gzip', 'aws-chunked', 'none'])
  await listen(
    `express that says ${coding}`,
    withBefore((_request, response, next) => (response.set('content-encoding', coding), next())),
  );
await listen(
  'express with interim responses',
  withBefore((_request, response, next) => {
    response.writeContinue();
    response.writeContinue();
    response.writeProcessing();
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    next();
  }),
);
await listen(
  'express that redirects to raw UTF-8',
  withBefore((request, response, next) => {
    if (decodeURIComponent(request.path).includes('模型')) return next();
    const name = Buffer.from('/模型 ü.bin').toString('latin1');
    response.socket.end(`HTTP/1.1 302 Found\r\nLocation: ${name}\r\nContent-Length: 0\r\n\r\n`, 'latin1');
  }),
);
const koa = new Koa();
koa.use(async (context) => void (await send(context, context.path, { root: folder })));
await listen('koa', createServer(koa.callback()));
await listen('sirv', createServer(sirv(folder, { gzip: true, brotli: true, etag: true })));
await listen('http-server', httpServer.createServer({ root: folder, gzip: true, brotli: true, cors: true }).server);
await listen(
  'serve-handler',
  createServer((request, response) => serveHandler(request, response, { public: folder })),
);
await listen(
  'node without a length',
  createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    createReadStream(join(folder, decodeURIComponent(request.url))).pipe(response);
  }),
);
const hapi = Hapi.server({ host: '127.0.0.1', port: 0 });
await hapi.register(Inert);
hapi.route({ method: 'GET', path: '/{p*}', handler: { directory: { path: folder, lookupCompressed: true } } });
await hapi.start();
urls.hapi = hapi.info.uri;

const both = createSecureServer({ ...tls, allowHTTP1: true }, (request, response) =>
  createReadStream(join(folder, decodeURIComponent(request.url))).pipe(response),
);
await listen('node with HTTP/2 and HTTP/1.1', both, 'https');
await listen(
  'node with HTTP/2 alone',
  createSecureServer(tls, () => undefined),
  'https',
);

console.log(JSON.stringify(urls));
