import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { install, interopFolder } from './installed.ts';

const START_MS = 30_000;

/** @returns why the gateway cannot be had, or undefined */
export const installGateway = (): Promise<string | undefined> => install('gateway', '@web3-storage/gateway-lib');

export interface RunningGateway {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the gateway over a folder of blocks. */
export async function startGateway(blocksFolder: string): Promise<RunningGateway> {
  const child = spawn(process.execPath, [join(interopFolder('gateway'), 'serve.mjs'), blocksFolder], {
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
