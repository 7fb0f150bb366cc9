import { pathToFileURL } from 'node:url';
import { ensure, fail } from './ensure.mjs';
import { at } from './project.mjs';

/** Command to the built program and the words it gets first. */
const COMMANDS = {
  up: ['dist/bundles/cli/main.js', 'up'],
  demo: ['dist/bundles/cli/main.js', 'demo'],
  api: ['dist/apps/api/main.js'],
  worker: ['dist/apps/worker/main.js'],
  bench: ['dist/bench/main.js'],
  soak: ['dist/bench/soak.js'],
  seed: ['dist/bench/seed.js'],
};

/** Runs the program in this very process: signals and exit code are its own. */
async function main([command, ...rest]) {
  const found = COMMANDS[command];
  if (!found) throw new Error(`unknown command ${command}: one of ${Object.keys(COMMANDS).join(', ')}`);
  await ensure();
  const [program, ...words] = found;
  process.argv = [process.execPath, at(program), ...words, ...rest];
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(at(program)).href);
}

await main(process.argv.slice(2)).catch(fail);
