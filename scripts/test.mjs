import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { pathToFileURL } from 'node:url';
import { ensure, fail } from './ensure.mjs';
import { CACHE, ROOT, at, say, step } from './project.mjs';

/** How long jest may take to end after its last test; longer means that a test left something open. */
const JEST_END_MS = 30_000;

/** Everything that must be stopped, in the order of its start. */
const running = [];

/** The jest that runs, and why it was cut short. */
const state = { jest: undefined, problem: undefined };

async function main(jestArgs) {
  await ensure();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
  const folder = mkdtempSync(join(tmpdir(), 'haulier-test-'));
  // As root the database runs as another user, which has to reach its folder.
  chmodSync(folder, 0o711);
  try {
    const env = await step('starting PostgreSQL and Redis', () => startServices(folder));
    if (state.problem) throw new Error(state.problem);
    const report = join(folder, 'jest.json');
    await runJest([...jestArgs, '--json', `--outputFile=${report}`], env, report);
    await stopAll();
    return summary(report);
  } finally {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

function interrupt(signal) {
  state.problem = `stopped by ${signal}`;
  state.jest?.kill(signal);
}

/** Services that the caller names are used; the others are started. */
async function startServices(folder) {
  const { startPostgres } = await import(pathToFileURL(at('dist/packages/embedded/postgres.js')).href);
  const { startRedis } = await import(pathToFileURL(at('dist/packages/embedded/redis.js')).href);
  const ignore = () => undefined;
  const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const start = async (given, launch, name) => {
    if (given) return given;
    const options = { dataDir: join(folder, name), cacheDir: CACHE, logger, onProgress: say, durable: false };
    const server = await launch(options);
    running.push(server);
    return server.url;
  };
  const [postgres, redis] = await Promise.all([
    start(process.env.HAULIER_TEST_POSTGRES_URL, startPostgres, 'postgres'),
    start(process.env.HAULIER_TEST_REDIS_URL, startRedis, 'redis'),
  ]);
  return { HAULIER_TEST_POSTGRES_URL: postgres, HAULIER_TEST_REDIS_URL: redis, HAULIER_TEST_CACHE_DIR: CACHE };
}

/** Resolves when jest has ended; `state.problem` says why when it did not end by itself. */
function runJest(args, env, report) {
  const words = [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    at('node_modules/jest/bin/jest.js'),
  ];
  const child = spawn(process.execPath, [...words, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  state.jest = child;
  let doneAt;
  const watch = setInterval(() => {
    if (doneAt === undefined && existsSync(report)) doneAt = Date.now();
    if (doneAt === undefined || Date.now() - doneAt < JEST_END_MS) return;
    state.problem = 'jest did not end after its last test: a test left something open';
    child.kill('SIGKILL');
  }, 500);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      if (signal) state.problem ??= `jest was ended by ${signal}`;
      resolve();
    });
  });
}

async function stopAll() {
  for (const server of running.splice(0).reverse()) await server.stop();
}

/** A file that could not even be loaded counts as one failure. */
function summary(report) {
  const { problem } = state;
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0, problem: problem ?? 'jest wrote no report' };
  const result = JSON.parse(readFileSync(report, 'utf8'));
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites + (problem === undefined ? 0 : 1),
    skipped: result.numPendingTests + result.numTodoTests,
    problem,
  };
}

try {
  const { passed, failed, skipped, problem } = await main(process.argv.slice(2));
  if (problem) say(problem);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
} catch (error) {
  fail(error);
  console.log('0 passed, 1 failed');
}
