import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Faults of what workers serve to clients of other makers (EX5). */
const NOT_BUILT = ['F15', 'F17'];

const pages = (): string[] => [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

describe('the documentation', () => {
  it('names for each requirement and fault the tests that prove it', () => {
    const check = (): string =>
      execFileSync(process.execPath, ['scripts/map-tests.mjs', '--check'], { cwd: ROOT, encoding: 'utf8' });
    expect(check).not.toThrow();
  });

  it('names a test for every edge case of a CID', () => {
    const rows = readFileSync(join(ROOT, 'docs/rules/ipfs.md'), 'utf8').match(/^\| EC\d+ \|.*$/gm) ?? [];
    expect(rows.length).toBeGreaterThanOrEqual(25);
    expect(rows.filter((row) => row.endsWith('| – |'))).toEqual([]);
  });

  it('names a test for every fault of the groups A to H, apart from those of what is not built', () => {
    const rows = readFileSync(join(ROOT, 'docs/fault-model.md'), 'utf8').match(/^\| [A-H]\d\d \|.*$/gm) ?? [];
    const idOf = (row: string): string => row.slice(2, 5);
    expect(rows.length).toBeGreaterThanOrEqual(118);
    expect(rows.filter((row) => row.endsWith('| – |')).map(idOf)).toEqual(NOT_BUILT);
    expect(rows.filter((row) => row.includes('| not built yet')).map(idOf)).toEqual(NOT_BUILT);
  });

  it.each(pages())('%s links only to pages that exist', (page) => {
    const links = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)];
    const broken = links.map(([, to]) => to!).filter((to) => !exists(resolve(ROOT, dirname(page), to)));
    expect(broken).toEqual([]);
  });
});

function exists(path: string): boolean {
  try {
    return readdirSync(dirname(path)).includes(path.replace(/\/$/, '').split('/').at(-1)!);
  } catch {
    return false; // its folder does not exist either
  }
}
