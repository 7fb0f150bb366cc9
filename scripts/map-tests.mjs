// Writes docs/generated/tests.md: for each id in the first column of a table of the pages below, the test files with a test whose
// name begins with that id. `--check` changes nothing and fails when that page is out of date.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PAGES = [
  'docs/requirements.md',
  'docs/fault-model.md',
  'docs/rules/http.md',
  'docs/rules/disk.md',
  'docs/rules/ipfs.md',
];
const MAP = 'docs/generated/tests.md';
/** After `it(`, or after the table of an `it.each(…)(`. */
const TEST_NAME = /(?:\b(?:it|test|describe|concurrent)|\))\(\s*[`'"]((?:[A-Z]{1,2}\d{1,2}\b[ ,/and]*)+)/g;
/** The first text of a row of `it.each` stands in the test's name. */
const EACH_ROW = /^\s*\[\s*['"`]((?:[A-Z]{1,2}\d{1,2}\b[ ,/and]*)+)/gm;
const ROW = /^\| ([A-Z]{1,2}\d{1,2}) \|/gm;

const text = mapOfTests();
if (!process.argv.includes('--check')) {
  mkdirSync(dirname(MAP), { recursive: true });
  writeFileSync(MAP, text);
} else if (readFileSync(MAP, 'utf8') !== text) {
  console.error(`${MAP} is out of date: run \`npm run docs\``);
  process.exitCode = 1;
}

function mapOfTests() {
  const files = filesById();
  const sections = PAGES.map((page) => {
    const ids = [...readFileSync(page, 'utf8').matchAll(ROW)].map(([, id]) => id);
    const rows = ids.map((id) => `| ${id} | ${provenBy(files.get(id) ?? [])} |`);
    return `## ${page}\n\n| id | tests |\n|---|---|\n${rows.join('\n')}\n`;
  });
  const head =
    '# Tests by id\n\n' +
    'Written by `npm run docs` from the names of the tests; `test/docs.test.ts` fails when this page is out of date.\n' +
    'Paths are relative to `test/`. "–": no test carries the id.\n';
  return [head, ...sections].join('\n');
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

function provenBy(paths) {
  const shown = [...paths].sort().map((path) => `\`${path.replace(/^test\//, '')}\``);
  return shown.length === 0 ? '–' : shown.join(', ');
}
