import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const FOLDER = fileURLToPath(new URL('gateway/', import.meta.url));
const INSTALL_MS = 120_000;
const LIBRARY = join(FOLDER, 'node_modules', '@web3-storage', 'gateway-lib', 'package.json');
const START_MS = 30_000;

/** Installs what package-lock.json of this folder names, once. @returns why it cannot be had, or undefined */
export async function installGateway(): Promise<string | undefined> {
  try {
    await access(LIBRARY).catch(() =>
      promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: FOLDER,
        timeout: INSTALL_MS,
      }),
    );
    await access(LIBRARY);
    return undefined;
  } catch (error) {
    return `npm ci in test/interop/gateway did not work: ${String(error).split('\n', 1)[0]}`;
  }
}

export interface RunningGateway {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the gateway over a folder of blocks. */
export async function startGateway(blocksFolder: string): Promise<RunningGateway> {
  const child = spawn(process.execPath, [join(FOLDER, 'serve.mjs'), blocksFolder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  const closed = once(child, 'close');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    closed.then(() => [undefined]),
  ])) as [string | undefined];
  clearTimeout(timer);
  if (line === undefined) throw new Error(`the gateway did not start: ${complaint}`);
  const { url } = JSON.parse(line) as { url: string };
  return {
    url,
    stop: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
