import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Names in the first column of the table of docs/configuration.md, by who reads them. */
const documented = new Map(
  [...read('docs/configuration.md').matchAll(/^\| (`[A-Z].*?`) \| (.*?) \|/gm)].flatMap(([, names, readers]) =>
    [...names!.matchAll(/`(\w+)`/g)].map((match) => [match[1]!, readers!.split(', ')] as const),
  ),
);

const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1]!);
const schemaOf = (app: string): string =>
  /const Env = z\.object\(\{([\s\S]*?)\n\}\)/.exec(read(`apps/${app}/config.ts`))![1]!;

describe('docs/configuration.md', () => {
  it.each(['api', 'worker'])('has every variable of the %s', (app) => {
    const names = namesIn(schemaOf(app), /^ {2}([A-Z][A-Z0-9_]+):/gm);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !documented.get(name)?.includes(app))).toEqual([]);
  });

  it('has every variable that the command line reads', () => {
    const sources = readdirSync(join(ROOT, 'apps/cli'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => read(join('apps/cli', path)));
    const names = sources.flatMap((text) => namesIn(text, /env(?:\['|, ')([A-Z][A-Z0-9_]+)'/g));
    expect(names).toContain('HAULIER_HOME');
    const known = (name: string): boolean => documented.get(name.replace(/_FILE$/, ''))?.includes('cli') === true;
    expect(names.filter((name) => !known(name))).toEqual([]);
  });

  it('has no variable that nobody reads', () => {
    const all = ['api/config.ts', 'worker/config.ts', 'worker/main.ts', 'cli'].map((path) =>
      path.endsWith('.ts')
        ? read(`apps/${path}`)
        : readdirSync(join(ROOT, 'apps', path), { recursive: true, encoding: 'utf8' })
            .filter((name) => name.endsWith('.ts'))
            .map((name) => read(join('apps', path, name)))
            .join('\n'),
    );
    const isRead = (name: string): boolean => all.some((text) => new RegExp(`\\b${name}\\b`).test(text));
    // No bar has colours, so there is nothing to switch off.
    expect([...documented.keys()].filter((name) => name !== 'NO_COLOR' && !isRead(name))).toEqual([]);
  });
});
