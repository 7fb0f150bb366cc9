import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { arch, platform, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { HostFacts } from '#contracts/worker/worker-events';
import { SECOND_MS } from '#core/units';

const run = promisify(execFile);
const SMI_TIMEOUT_MS = 5 * SECOND_MS;

let gpus: Promise<number> | undefined;

/** What this host is. The graphics processors are counted once: they do not change while a worker runs. */
export async function readHostFacts(): Promise<HostFacts> {
  gpus ??= countGpus();
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return { arch: arch(), os: platform(), memoryBytes: totalmem(), gpus: await gpus, timeZone };
}

/** Counts device files, and asks `nvidia-smi` where there are none (Windows, WSL). */
async function countGpus(): Promise<number> {
  const devices = await readdir('/dev').catch(() => []);
  const found = devices.filter((name) => /^nvidia\d+$/.test(name)).length;
  return found > 0 ? found : askNvidia();
}

async function askNvidia(): Promise<number> {
  try {
    const { stdout } = await run('nvidia-smi', ['-L'], { timeout: SMI_TIMEOUT_MS });
    return stdout.split('\n').filter((line) => /^GPU \d+:/.test(line)).length;
  } catch {
    return 0; // there is no such program, or no driver behind it
  }
}
