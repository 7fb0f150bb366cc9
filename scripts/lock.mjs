import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { clearInterval, setInterval } from 'node:timers';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { say } from './project.mjs';

const BEAT_MS = 2_000;
const STALE_MS = 15_000;

/**
 * Does the work while no other process holds the lock file. A lock is stale when its process is gone, or, where that
 * cannot be seen from here, when its holder has not touched it for a while. It stays apart from the leases of packages/os, because it
 * guards the build that makes them.
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false; !take(path);) {
    if (removeStale(path)) continue;
    if (!told) say('waiting for another start of this project to prepare it ...');
    told = true;
    await pause(200);
  }
  const beat = setInterval(() => utimesSync(path, new Date(), new Date()), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(path, { force: true });
  }
}

function take(path) {
  try {
    writeFileSync(path, `${hostname()} ${process.pid}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns whether the way is free to try again at once */
function removeStale(path) {
  try {
    const holder = readFileSync(path, 'utf8');
    const isStale = isGone(holder) || Date.now() - statSync(path).mtimeMs > STALE_MS;
    if (isStale) moveAway(path, holder);
    return isStale;
  } catch (error) {
    if (error.code === 'ENOENT') return true;
    throw error;
  }
}

/** The slower of two processes that find it stale may move the new lock of the other away: it is put back. */
function moveAway(path, holder) {
  const aside = `${path}.stale-${process.pid}`;
  renameSync(path, aside);
  if (readFileSync(aside, 'utf8') === holder) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

/** Containers that share the folder have other host names: their processes cannot be seen. */
function isGone(holder) {
  const [host, pid] = holder.split(' ');
  if (host !== hostname() || !(Number(pid) > 0)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
