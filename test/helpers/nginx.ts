import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '#embedded/find-program';
import { startOnPort } from '#embedded/running-server';
import { type ServerProcess, startServerProcess } from '#embedded/server-process';
import { waitUntilReady } from '#embedded/wait-ready';
import { silentLogger } from '#core/logger';

export interface NginxOptions {
  /** Folder whose files are served. */
  readonly root: string;
  /** Folder for its configuration and temporary files; made when absent. */
  readonly workDir: string;
  /** Where nginx is unpacked when the machine has none. */
  readonly cacheDir: string;
  /** Paths of PEM files; default: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** More lines for the `server` block, e.g. `limit_rate 1m;`. */
  readonly extraServerConfig?: string;
  /** More lines for the `http` block, e.g. `limit_conn_zone …;`. */
  readonly extraHttpConfig?: string;
  /** Default 1. */
  readonly workerProcesses?: number;
}

export interface Nginx {
  /** `http://127.0.0.1:port` or `https://…`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Safe twice. */
  stop(): Promise<void>;
}

/** Starts a real nginx that serves a folder: the origin that shares no code with us. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { cacheDir } = options;
  const program = await findProgram('nginx', { packages: ['nginx'], cacheDir, versionArgs: ['-v'] });
  await mkdir(options.workDir, { recursive: true });
  const { port, server } = await startOnPort(undefined, async (free) => {
    const file = join(options.workDir, 'nginx.conf');
    await writeFile(file, configuration(free, options));
    const args = ['-e', 'stderr', '-p', options.workDir, '-c', file];
    const command = { name: 'nginx', file: program.path, args, env: program.env, stopSignal: 'SIGTERM' } as const;
    return untilListening(await startServerProcess(command, silentLogger), free);
  });
  const scheme = options.tls ? 'https' : 'http';
  return { url: `${scheme}://127.0.0.1:${port}`, port, pid: server.pid, stop: () => server.stop() };
}

/** Under TLS the first bytes that it sends to a plain request are its "400 plain HTTP request" page: also an answer. */
async function untilListening(server: ServerProcess, port: number): Promise<ServerProcess> {
  const greeting = Buffer.from('HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  try {
    await waitUntilReady(server, { port, greeting, isReady: (answer) => answer.includes('nginx') }, 10_000);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function configuration(port: number, options: NginxOptions): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const { tls } = options;
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes ${options.workerProcesses ?? 1};
daemon off;
pid ${join(options.workDir, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  keepalive_requests 100000;
  ${temporary.map((name) => `${name}_temp_path ${join(options.workDir, name)};`).join('\n  ')}
  ${options.extraHttpConfig ?? ''}
  server {
    listen 127.0.0.1:${port}${tls ? ' ssl' : ''};
    root ${options.root};
    ${tls ? `ssl_certificate ${tls.certificate};\n    ssl_certificate_key ${tls.key};` : ''}
    ${options.extraServerConfig ?? ''}
  }
}
`;
}
