// Serves a folder with one of the libraries of package.json: `node serve.mjs NAME FOLDER`. Prints its address as one line of JSON.
import { createServer } from 'node:http';
import { join } from 'node:path';

const [name, root] = process.argv.slice(2);

const nameOf = ({ url }) => new URL(url, 'http://localhost').pathname.slice(1);

/** Each gives a request listener. */
const SERVERS = {
  async express() {
    const { default: express } = await import('express');
    return express().use(express.static(root));
  },
  async send() {
    const { default: send } = await import('send');
    return (request, response) => void send(request, nameOf(request), { root }).pipe(response);
  },
  async 'serve-handler'() {
    const { default: handler } = await import('serve-handler');
    return (request, response) => handler(request, response, { public: root, etag: true });
  },
  async 'serve-handler without ETag'() {
    const { default: handler } = await import('serve-handler');
    return (request, response) => handler(request, response, { public: root });
  },
  async 'http-server'() {
    const { default: httpServer } = await import('http-server');
    return httpServer.createServer({ root, cache: -1 }).server.listeners('request')[0];
  },
  async sirv() {
    const { default: sirv } = await import('sirv');
    const handle = sirv(root, { dev: true, etag: true });
    return (request, response) => handle(request, response, () => response.writeHead(404).end());
  },
  async 'koa-send'() {
    const { default: Koa } = await import('koa');
    const { default: send } = await import('koa-send');
    return new Koa().use((context) => send(context, context.path, { root })).callback();
  },
  async '@fastify/static'() {
    const { default: fastify } = await import('fastify');
    const { default: statics } = await import('@fastify/static');
    let listener;
    const app = fastify({ serverFactory: (handler) => createServer((listener = handler)) });
    await app.register(statics, { root });
    await app.ready();
    return listener;
  },
  async '@hapi/inert'() {
    const { default: hapi } = await import('@hapi/hapi');
    const { default: inert } = await import('@hapi/inert');
    const app = hapi.server();
    await app.register(inert);
    app.route({ method: 'GET', path: '/{name*}', handler: { directory: { path: root } } });
    await app.initialize();
    return app.listener.listeners('request')[0];
  },
  async hono() {
    const { getRequestListener } = await import('@hono/node-server');
    const { serveStatic } = await import('@hono/node-server/serve-static');
    const { Hono } = await import('hono');
    return getRequestListener(new Hono().use(serveStatic({ root })).fetch);
  },
  async 'pipe without validators'() {
    const { createReadStream, statSync } = await import('node:fs');
    return (request, response) => {
      const path = join(root, decodeURIComponent(nameOf(request)));
      response.setHeader('content-length', statSync(path).size);
      createReadStream(path).pipe(response);
    };
  },
};

const server = createServer(await SERVERS[name]());
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })));
