// Writes, into the last column of the tables of docs/requirements.md, docs/fault-model.md and docs/rules/ipfs.md, the test files whose test names begin with
// the row's id. `--check` changes nothing and fails when a page is out of date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGES = ['docs/requirements.md', 'docs/fault-model.md', 'docs/rules/ipfs.md'];
/** After `it(`, or after the table of an `it.each(…)(`. */
const TEST_NAME = /(?:\b(?:it|test|describe)|\))\(\s*[`'"]((?:[A-Z]{1,2}\d{1,2}\b[ ,/and]*)+)/g;
/** The first text of a row of `it.each` stands in the test's name. */
const EACH_ROW = /^\s*\[\s*['"`]((?:[A-Z]{1,2}\d{1,2}\b[ ,/and]*)+)/gm;
const ROW = /^\| ([A-Z]{1,2}\d{1,2}) \|(.*)\| ([^|]*) \|$/;

const check = process.argv.includes('--check');
const files = filesById();
let stale = false;
for (const page of PAGES) {
  const before = readFileSync(page, 'utf8');
  const after = before
    .split('\n')
    .map((line) => line.replace(ROW, (_, id, middle) => `| ${id} |${middle}| ${provenBy(id)} |`))
    .join('\n');
  if (after === before) continue;
  stale = true;
  if (!check) writeFileSync(page, after);
}
if (check && stale) {
  console.error('a table of tests is out of date: run `npm run docs`');
  process.exitCode = 1;
}

function filesById() {
  const found = new Map();
  for (const entry of readdirSync('test', { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.test.ts') || entry.parentPath.includes('node_modules')) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, 'utf8');
    for (const [, ids] of [...text.matchAll(TEST_NAME), ...text.matchAll(EACH_ROW)])
      for (const id of ids.match(/[A-Z]{1,2}\d{1,2}/g)) found.set(id, (found.get(id) ?? new Set()).add(path));
  }
  return found;
}

function provenBy(id) {
  const paths = [...(files.get(id) ?? [])].sort();
  return paths.length === 0 ? '–' : paths.map((path) => `\`${path.replace(/^test\//, '')}\``).join(', ');
}
