import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Program } from '#embedded/find-program';
import { freePort } from '#os/port';
import { ended, type ServedProcess } from './served-process.ts';

const START_MS = 60_000;
const LOOK_EVERY_MS = 100;

/** Starts olah, a mirror of hubs by others, over an empty cache. @throws Error when it does not answer within a minute */
export async function startOlah(
  { path }: Program,
  { folder, hubUrl }: { readonly folder: string; readonly hubUrl: string },
): Promise<ServedProcess> {
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const [hub, own] = [new URL(hubUrl).host, `127.0.0.1:${port}`];
  const args = [
    ...['--host', '127.0.0.1', '--port', `${port}`, '--repos-path', join(folder, 'repos'), '--log-path', folder],
    ...['--hf-scheme', 'http', '--hf-netloc', hub, '--hf-lfs-netloc', hub],
    ...['--mirror-netloc', own, '--mirror-lfs-netloc', own],
  ];
  const child = spawn(path, args, { cwd: folder, stdio: 'ignore' });
  const url = `http://${own}`;
  for (const until = performance.now() + START_MS; !(await answers(url)); await wait(LOOK_EVERY_MS))
    if (child.exitCode !== null || performance.now() > until) {
      await ended(child);
      throw new Error('olah does not start');
    }
  return { url, pid: child.pid!, stop: () => ended(child) };
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );
