// Asks the real API, with one worker, everything that its OpenAPI document allows and much that it does not, with schemathesis
// (PyPI, in a folder of .cache): no answer may be a 5xx or outside of the document. `npm run fuzz`; what follows `--` goes to
// `schemathesis run`, such as `--max-examples 200 --include-path-regex webhooks`.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensure, fail } from './ensure.mjs';
import { CACHE, at, run, say, step } from './project.mjs';

const TOOL = 'schemathesis==4.32.5';
const VENV = join(CACHE, `fuzz-${TOOL.replace('==', '-')}`);
const PROGRAM = join(VENV, process.platform === 'win32' ? 'Scripts/schemathesis.exe' : 'bin/schemathesis');

/** Those that are about the document; `all` would add rules that HTTP does not have. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'use_after_free',
];

/** By itself, with few requests: above 300 in a minute without a valid token the API answers 429, as it should. */
const AUTH = ['--checks', 'ignored_auth', '--phases', 'fuzzing', '--max-examples', '1'];
const WHOLE = ['--checks', CHECKS.join(','), '--max-examples', '40'];

/** What refuses a request that breaks the document: what the tool takes for that, and 431 for an address that is too long to be read. */
const REFUSALS = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431];
const CONFIG = `[checks.negative_data_rejection]\nexpected-statuses = ${JSON.stringify(REFUSALS)}\n`;

const SHA256 = 'a'.repeat(64);
const FILE = { path: 'config.json', sizeBytes: 2243, sha256: SHA256 };

async function installTool() {
  if (existsSync(PROGRAM)) return;
  rmSync(VENV, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', VENV]);
  const python = join(VENV, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', TOOL]);
}

const built = (path) => import(pathToFileURL(at(path)).href);

async function startStack(home, token) {
  const { startStack: start } = await built('dist/apps/cli/stack/start-stack.js');
  return start({
    ...{ home, cacheDir: CACHE, distDir: at('dist'), databaseUrl: undefined, redisUrl: undefined },
    ...{ bind: '127.0.0.1', port: 0, enrol: true, report: say },
    workers: [{ name: 'worker', env: { HAULIER_HOST: 'host-a' } }],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      HAULIER_ADMIN_TOKEN: token,
      HAULIER_LOG_LEVEL: 'warn',
      HAULIER_RATE_LIMIT: '1000000',
    },
  });
}

/** One thing of each kind, so that ids lead to something. */
async function seed(baseUrl, token) {
  const { createClient } = await built('dist/packages/client/client.js');
  const client = createClient({ baseUrl, token });
  await client.publishVersion({ name: 'whisper', version: '1', files: [FILE] });
  await client.createDownloads({ model: 'whisper', host: 'host-a', allowUnknown: true });
  await client.createRollout({ models: ['whisper@1'], selector: '', allowEmpty: true });
  await client.createWebhook({ url: 'https://hooks.example/', events: ['webhook.test'] });
}

/** @returns the exit code of schemathesis */
function fuzz(url, token, home, words) {
  const config = join(home, 'schemathesis.toml');
  writeFileSync(config, CONFIG);
  const api = [`${url}/openapi.json`, '--header', `Authorization: Bearer ${token}`];
  const child = spawn(PROGRAM, ['--config-file', config, 'run', ...api, ...words], {
    cwd: CACHE,
    stdio: 'inherit',
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function main(words) {
  await ensure();
  await step('installing schemathesis', installTool);
  const home = mkdtempSync(join(tmpdir(), 'haulier-fuzz-'));
  const token = `fuzz-${randomBytes(18).toString('hex')}`;
  let stack;
  try {
    stack = await step('starting the API and a worker', () => startStack(home, token));
    await seed(stack.apiUrl, token);
    for (const options of [AUTH, WHOLE])
      process.exitCode ||= await fuzz(stack.apiUrl, token, home, [...options, ...words]);
  } finally {
    await stack?.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2)).catch(fail);
