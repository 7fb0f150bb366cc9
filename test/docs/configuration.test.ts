import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { GatewayDataFile } from '#contracts/gateway-data';
import { HostLimitsBody } from '#contracts/http/hosts';

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

  it('has every field of the gateway data file, and an example that is right', () => {
    const page = read('docs/configuration.md').split('## Gateway data')[1]!;
    const entry = /const Entry = z\.strictObject\(\{([\s\S]*?)\n\}\)/.exec(
      read('packages/contracts/gateway-data.ts'),
    )![1]!;
    const fields = namesIn(entry, /^ {2}([a-z]\w+):/gm);
    expect(fields.length).toBeGreaterThan(3);
    expect(namesIn(page, /^\| `(\w+)` \|/gm).sort()).toEqual(fields.sort());
    expect(GatewayDataFile.safeParse(JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!)).success).toBe(true);
    const limits = page.split('## Limits that change')[1]!;
    expect(HostLimitsBody.safeParse(JSON.parse(/```json\n([\s\S]*?)```/.exec(limits)![1]!)).success).toBe(true);
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
