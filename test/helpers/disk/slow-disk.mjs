/**
 * Loaded into a worker by `--import`: its writes to files take as long as on a disk that takes `TEST_DISK_RATE` bytes a second, one after another. All else
 * is as in any other worker.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import { env } from 'node:process';
import { setTimeout } from 'node:timers';

const bytesPerMs = Number(env.TEST_DISK_RATE) / 1000;
const { write } = fs;
/** When the disk has done what it was given; monotonic milliseconds. */
let freeAt = 0;

fs.write = (descriptor, buffer, offset, length, position, told) => {
  const now = performance.now();
  freeAt = Math.max(freeAt, now) + length / bytesPerMs;
  setTimeout(() => write(descriptor, buffer, offset, length, position, told), freeAt - now);
};
syncBuiltinESMExports();
