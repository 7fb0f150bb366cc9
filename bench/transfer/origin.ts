import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '#core/logger';
import type { Program } from '#embedded/find-program';
import { startServerProcess } from '#embedded/server-process';
import { waitUntilReady } from '#embedded/wait-ready';
import { freePort } from '#os/port';
import type { Certificate } from './certificate.ts';

export interface BenchOrigin {
  readonly plainUrl: string;
  readonly tlsUrl: string;
  /** Each limits every connection to `LIMITED_BYTES_PER_SECOND`. */
  readonly limitedUrls: readonly string[];
  stop(): Promise<void>;
}

export const LIMITED_BYTES_PER_SECOND = 20 * 1024 * 1024;
const LIMITED_SERVERS = 3;

/**
 * A real nginx that serves `<folder>/www` by sendfile: plain, under TLS, and with limits. It is an IPFS gateway as
 * well: `/ipfs/<cid>` is a file in `www/ipfs`, and with `?format=raw` a block in `www/blocks`.
 */
export async function startOrigin(nginx: Program, folder: string, certificate: Certificate): Promise<BenchOrigin> {
  const workDir = join(folder, 'nginx');
  await mkdir(workDir, { recursive: true });
  const [plain, tls, ...limited] = (await Promise.all(
    Array.from({ length: 2 + LIMITED_SERVERS }, () => freePort()),
  )) as [number, number, ...number[]];
  const file = join(workDir, 'nginx.conf');
  const { certificatePath, keyPath } = certificate;
  const servers = [
    server(folder, `${plain}`, ''),
    server(folder, `${tls} ssl`, `ssl_certificate ${certificatePath}; ssl_certificate_key ${keyPath};`),
    ...limited.map((port) => server(folder, `${port}`, `limit_rate ${LIMITED_BYTES_PER_SECOND};`)),
  ];
  await writeFile(file, configuration(workDir, servers));
  const args = ['-e', 'stderr', '-p', workDir, '-c', file];
  const process = await startServerProcess(
    { name: 'nginx', file: nginx.path, args, env: nginx.env, stopSignal: 'SIGTERM' },
    silentLogger,
  );
  const greeting = Buffer.from('HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await waitUntilReady(process, { port: plain, greeting, isReady: (answer) => answer.includes('nginx') }, 10_000);
  return {
    plainUrl: `http://127.0.0.1:${plain}`,
    tlsUrl: `https://127.0.0.1:${tls}`,
    limitedUrls: limited.map((port) => `http://127.0.0.1:${port}`),
    stop: () => process.stop(),
  };
}

const server = (folder: string, listen: string, more: string): string => `
  server {
    listen 127.0.0.1:${listen};
    root ${join(folder, 'www')};
    ${more}
    location /ipfs/ {
      if ($arg_format = raw) { rewrite ^/ipfs/(.+)$ /blocks/$1 last; }
    }
  }`;

function configuration(workDir: string, servers: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes auto;
daemon off;
pid ${join(workDir, 'nginx.pid')};
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  keepalive_requests 100000;
  ${temporary.map((name) => `${name}_temp_path ${join(workDir, name)};`).join('\n  ')}
  ${servers.join('\n')}
}
`;
}
