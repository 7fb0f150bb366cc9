import { availableParallelism } from 'node:os';
import { run, say, step } from './project.mjs';

/** Runs the unit tests; left out where all tests run anyway. */
const UNIT_TESTS = process.argv.includes('--without-tests') ? [] : ['test:unit'];

/** Scripts of package.json, the longest first: what is short fills the gaps. */
const CHECKS = [...UNIT_TESTS, 'lint', 'types', 'dead-code', 'format:check'];

/** A check may use several cores itself, so more at once than cores would only make all of them slow. */
const AT_ONCE = Math.min(2, availableParallelism());

const failures = [];
const left = [...CHECKS];

async function work() {
  for (let name = left.shift(); name !== undefined; name = left.shift()) await check(name);
}

async function check(name) {
  const startedAt = Date.now();
  const verdict = await step(name, () => run('npm', ['run', '--silent', name])).then(
    () => 'fine',
    (error) => {
      failures.push(`--- ${name}\n${error.output ?? error.message}`);
      return 'FAILED';
    },
  );
  say(`${name}: ${verdict} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
for (const failure of failures) console.log(failure.trimEnd());
process.exitCode = failures.length > 0 ? 1 : 0;
