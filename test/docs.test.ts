import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MOST_LINES_OF_RULES = 100;
const MOST_LINES_OF_README = 200;

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const pages = (): string[] => [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const rulePages = (): string[] => pages().filter((page) => page.startsWith(join('docs', 'rules')));

/** A path of the project in a page, from its root. */
const PATH =
  /(?:^|[\s`("])((?:apps|packages|docs|test|scripts|bench|findings|examples|prisma|\.ci|\.github)\/[\w./-]*\w)/gm;

const code = ['packages', 'apps']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => name.endsWith('.ts') && !name.includes('generated'))
  .map(read)
  .join('\n');

const mapped = (): string[][] =>
  [...read('docs/generated/tests.md').matchAll(/^\| (\w+) \| (.*) \|$/gm)].map(([, id, tests]) => [id!, tests!]);

describe('the documentation', () => {
  it('names for each requirement, rule and fault the tests that prove it', () => {
    const check = (): string =>
      execFileSync(process.execPath, ['scripts/map-tests.mjs', '--check'], { cwd: ROOT, encoding: 'utf8' });
    expect(check).not.toThrow();
  });

  it.each([
    ['edge case of a CID', /^EC\d+$/, 25, []],
    ['HTTP rule', /^H[RAT]\d+$/, 51, []],
    ['rule of the disk', /^H[DN]\d+$/, 18, []],
    ['fault of the groups A to H', /^[A-H]\d\d$/, 118, []],
  ])('has a test for every %s', (_, id, atLeast, notBuilt) => {
    const rows = mapped().filter((row) => id.test(row[0]!));
    expect(rows.length).toBeGreaterThanOrEqual(atLeast);
    expect(rows.filter(([, tests]) => tests === '–').map(([row]) => row)).toEqual(notBuilt);
  });

  it('says of every requirement and fault without a test that it is not built, or not all of it', () => {
    const without = mapped().flatMap(([id, tests]) => (tests === '–' ? [id!] : []));
    const rows = `${read('docs/requirements.md')}\n${read('docs/fault-model.md')}`.split('\n');
    expect(without.filter((id) => !/not built yet/i.test(rows.find((row) => row.startsWith(`| ${id} |`))!))).toEqual(
      [],
    );
  });

  it.each(pages())('%s links only to pages that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)];
    const broken = links.map(([, to]) => to!).filter((to) => !existsSync(resolve(ROOT, dirname(page), to)));
    expect(broken).toEqual([]);
  });

  it.each(pages().filter((page) => !page.includes('generated')))(
    '%s names only files and folders that exist',
    (page) => {
      const paths = [...read(page).matchAll(PATH)].map(([, path]) => path!.replace(/\.$/, ''));
      expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    },
  );

  it.each(pages())('%s names what does a thing, not nobody, somebody or whoever', (page) => {
    expect(read(page).match(/\b(nobody|somebody|whoever)\b/gi) ?? []).toEqual([]);
  });

  it.each(rulePages())('%s names only constants and settings that the code has', (page) => {
    const names = [...read(page).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, name]) => name!);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
  });

  it.each(rulePages())('%s can be read in one sitting', (page) => {
    expect(read(page).trimEnd().split('\n').length).toBeLessThanOrEqual(MOST_LINES_OF_RULES);
  });

  it('has a README that can be read in one sitting', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(MOST_LINES_OF_README);
  });
});
