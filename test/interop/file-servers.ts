import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findProgram } from '#embedded/find-program';
import { freePort } from '#os/port';
import { startNginx } from '../helpers/nginx.ts';
import { testCacheDir } from '../helpers/services.ts';
import { until } from '../helpers/until.ts';
import { install, interopFolder } from './installed.ts';

const START_MS = 30_000;

export interface RunningServer {
  /** Without a path. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A file server of another project. */
export interface FileServer {
  readonly name: string;
  /** Why this machine does not have it, or undefined. */
  readonly whyNot: string | undefined;
  start(root: string): Promise<RunningServer>;
}

const ours = (name: string): string => join(interopFolder('file-servers'), name);

const OF_NPM = [
  'express',
  'send',
  'serve-handler',
  'serve-handler without ETag',
  'http-server',
  'sirv',
  'koa-send',
  '@fastify/static',
  '@hapi/inert',
  'hono',
  'pipe without validators',
];
const OF_PYTHON = [
  'http.server',
  'flask',
  'werkzeug',
  'django',
  'django-static',
  'bottle',
  'aiohttp',
  'tornado',
  'twisted',
  'starlette',
  'cherrypy',
  'rangehttpserver',
  'wsgidav',
  'whitenoise',
  'cheroot',
  'hypercorn',
  'staticfiles',
  'sanic',
  'pyramid',
  'litestar',
  'quart',
  'falcon',
  'webob',
];

/** Each of these is wrong in a way of its own; every run of the tests tries them. */
const USUAL = new Set([
  ...['serve-handler', 'http-server', 'sirv', 'hono', 'pipe without validators'],
  ...['busybox httpd', 'nginx', 'nginx max_ranges 0'],
]);

/** The usual servers; with `HAULIER_TEST_SERVERS=all`, which takes some ten minutes more, every one that there is a recipe for. */
export async function fileServers(): Promise<FileServer[]> {
  const all = await everyServer();
  return process.env['HAULIER_TEST_SERVERS'] === 'all' ? all : all.filter(({ name }) => USUAL.has(name));
}

/** Those of Python and of the system only where this machine has them. */
async function everyServer(): Promise<FileServer[]> {
  const npm = await install('file-servers', 'hono');
  const python = await listOf('python3', [ours('serve.py'), '--list']);
  return [
    ...OF_NPM.map((name) => ({
      name,
      whyNot: npm,
      start: (root: string) => startSaying(process.execPath, [ours('serve.mjs'), name, root]),
    })),
    ...OF_PYTHON.map((name) => ({
      name: `python ${name}`,
      whyNot: python?.includes(name) === true ? undefined : 'not on this machine',
      start: (root: string) => startSaying('python3', [ours('serve.py'), name, root]),
    })),
    await ofSystem('php -S', 'php', ['-v'], (root, port) => ['-S', `127.0.0.1:${port}`, '-t', root]),
    await ofSystem('busybox httpd', 'busybox', ['httpd', '--help'], (root, port) => [
      'httpd',
      '-f',
      ...['-p', `127.0.0.1:${port}`, '-h', root],
    ]),
    ...(await ofNginx([
      ['nginx', ''],
      ['nginx max_ranges 0', 'max_ranges 0;'],
      ['nginx etag off', 'etag off;'],
      ['nginx with neither', 'etag off; add_header Last-Modified "";'],
    ])),
    await ofSystem('lighttpd', 'lighttpd', ['-v'], lighttpd),
    await ofSystem('apache2', 'apache2', ['-v'], apache),
    await ofSystem('webfsd', 'webfsd', ['-h'], (root, port) => [
      '-F',
      '-i',
      '127.0.0.1',
      '-p',
      String(port),
      '-r',
      root,
    ]),
    await ofSystem('mini_httpd', 'mini_httpd', ['-V'], (root, port) => [
      ...['-D', '-h', '127.0.0.1', '-p', String(port), '-d', root],
      ...['-u', userInfo().username],
    ]),
    await ofSystem('civetweb', 'civetweb', ['-I'], (root, port) => [
      ...['-listening_ports', `127.0.0.1:${port}`, '-document_root', root],
    ]),
    await ofSystem('caddy', 'caddy', ['version'], (root, port) => [
      ...['file-server', '--listen', `127.0.0.1:${port}`, '--root', root],
    ]),
    await ofSystem('rclone serve http', 'rclone', ['version'], (root, port) => [
      ...['serve', 'http', '--addr', `127.0.0.1:${port}`, root],
    ]),
    await ofSystem('rclone serve webdav', 'rclone', ['version'], (root, port) => [
      ...['serve', 'webdav', '--addr', `127.0.0.1:${port}`, root],
    ]),
    await ofSystem('h2o', 'h2o', ['-v'], h2o),
  ];
}

type Arguments = (root: string, port: number) => string[] | Promise<string[]>;

/** A program that is told its port. */
async function ofSystem(name: string, program: string, probe: string[], args: Arguments): Promise<FileServer> {
  const whyNot = await promisify(execFile)(program, probe).then(
    () => undefined,
    () => `no ${program} on this machine`,
  );
  const start = async (root: string): Promise<RunningServer> => {
    const port = await freePort();
    const child = spawn(program, await args(root, port), { stdio: 'ignore' });
    const url = `http://127.0.0.1:${port}`;
    const stop = stopping(child);
    await until(
      () =>
        fetch(url).then(
          () => true,
          () => false,
        ),
      { timeoutMs: START_MS, what: `${name} answers` },
    ).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return { url, stop };
  };
  return { name, whyNot, start };
}

/** nginx in some settings, unpacked where the machine has none but can get it. */
async function ofNginx(
  settings: readonly (readonly [name: string, extraServerConfig: string])[],
): Promise<FileServer[]> {
  const cacheDir = testCacheDir();
  const whyNot = await findProgram('nginx', { packages: ['nginx'], cacheDir, versionArgs: ['-v'] }).then(
    () => undefined,
    (error: unknown) => `no nginx here (${String(error).split('\n', 1)[0]})`,
  );
  return settings.map(([name, extraServerConfig]) => ({
    name,
    whyNot,
    start: (root) => startNginx({ root, workDir: `${root}.nginx`, cacheDir, extraServerConfig }),
  }));
}

const lighttpd: Arguments = async (root, port) => {
  const file = `${root}.lighttpd`;
  await writeFile(
    file,
    `server.document-root = "${root}"\nserver.port = ${port}\nserver.bind = "127.0.0.1"\nserver.modules = ()\n`,
  );
  return ['-D', '-f', file];
};

/** get.sh says where the modules of an unpacked package are. */
async function apache(root: string, port: number): Promise<string[]> {
  const file = `${root}.apache2`;
  await writeFile(
    file,
    [
      '<IfDefine !MODULES>',
      'Define MODULES /usr/lib/apache2/modules',
      '</IfDefine>',
      'LoadModule mpm_event_module ${MODULES}/mod_mpm_event.so',
      'LoadModule authz_core_module ${MODULES}/mod_authz_core.so',
      ...['ServerRoot /', 'ServerName localhost', `Listen 127.0.0.1:${port}`],
      ...[`PidFile ${file}.pid`, `ErrorLog ${file}.log`, `DocumentRoot ${root}`, ''],
    ].join('\n'),
  );
  return ['-X', '-f', file];
}

const h2o: Arguments = async (root, port) => {
  const file = `${root}.h2o`;
  await writeFile(
    file,
    `listen: { host: 127.0.0.1, port: ${port} }\nnum-threads: 1\nhosts:\n  default:\n    paths:\n      /:\n        file.dir: ${root}\n`,
  );
  return ['-c', file];
};

/** A program that prints its address as one line of JSON. */
async function startSaying(program: string, args: string[]): Promise<RunningServer> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const stop = stopping(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  const lines = createInterface(child.stdout);
  const [line] = (await Promise.race([once(lines, 'line'), once(child, 'close').then(() => [undefined])])) as [
    string | undefined,
  ];
  clearTimeout(timer);
  child.stdout.resume();
  if (line === undefined) throw new Error(`${program} ${args.join(' ')} did not start`);
  return { url: (JSON.parse(line) as { url: string }).url, stop };
}

function stopping(child: ReturnType<typeof spawn>): () => Promise<void> {
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  return async () => {
    child.kill('SIGKILL');
    await closed;
  };
}

const listOf = (program: string, args: string[]): Promise<string[] | undefined> =>
  promisify(execFile)(program, args).then(
    ({ stdout }) => JSON.parse(stdout) as string[],
    () => undefined,
  );
