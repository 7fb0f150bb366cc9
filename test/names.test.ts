import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const EXPORTED = /^export (?:async )?(?:function|const|class|interface|type|enum) (\w+)/gm;

const sources = ['apps', 'packages']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => path.endsWith('.ts') && !path.split(sep).includes('generated'));

it('no name is exported by two files', () => {
  const filesOf = new Map<string, Set<string>>();
  for (const path of sources)
    for (const [, name = ''] of readFileSync(join(ROOT, path), 'utf8').matchAll(EXPORTED))
      filesOf.set(name, (filesOf.get(name) ?? new Set()).add(path));
  expect(filesOf.size).toBeGreaterThan(500);
  expect([...filesOf].filter(([, files]) => files.size > 1)).toEqual([]);
});
