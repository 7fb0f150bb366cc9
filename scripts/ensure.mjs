import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildIfChanged } from './build.mjs';
import { withLock } from './lock.mjs';
import { CACHE, at, run, say, step } from './project.mjs';

const NEEDED = [20, 19];

/** Makes the project ready to run: Node, dependencies, build. Does nothing twice; any number may call it at once. */
export async function ensure() {
  checkNode();
  await withLock(join(CACHE, 'ensure.lock'), async () => {
    if (!isInstalled()) await step('installing dependencies (npm ci)', install);
    await buildIfChanged();
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  throw new Error(`Node ${process.versions.node} is too old: Haulier needs Node ${NEEDED.join('.')} or newer.`);
}

/**
 * npm writes down what it installed when it has finished. It must agree with the lock file in everything, except for
 * packages of other platforms.
 */
function isInstalled() {
  const notes = at('node_modules/.package-lock.json');
  if (!existsSync(notes)) return false;
  const installed = JSON.parse(readFileSync(notes, 'utf8')).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages);
  return wanted.every(([path, entry]) => {
    const found = installed[path];
    return path === '' || (found ? found.version === entry.version : entry.optional === true);
  });
}

/** No install scripts: nothing here needs one, and some would download from places that may be out of reach. */
function install() {
  return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { npm_config_omit: '', NODE_ENV: '' });
}

/** Ends a script with one sentence instead of a stack. */
export function fail(error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await ensure().catch(fail);
