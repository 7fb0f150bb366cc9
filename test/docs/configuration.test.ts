import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { GatewayDataFile } from '#contracts/gateway-data';
import { CommandsFile } from '#contracts/worker/commands-file';
import { HostLimitsBody } from '#contracts/http/hosts';
import { SETTINGS, type Setting } from '#core/settings/settings';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/guide/configuration.md');

/** Not settings: marks of the terminal that every program honours. */
/** Set by the CI; `deploy` makes its idempotency key of them. */
const OF_CI = [
  ...['GITHUB_RUN_ID', 'GITHUB_RUN_ATTEMPT', 'GITHUB_JOB', 'GITHUB_ACTION'],
  ...['CI_PIPELINE_ID', 'CI_JOB_NAME'],
];
const OF_THE_TERMINAL = ['NO_COLOR'];
/** What commands of rollouts get of the worker's environment. */
const OF_COMMANDS = ['PATH'];

const rowOf = ([name, setting]: [string, Setting]): string => {
  const { readBy, meaning } = setting;
  return `| \`${name}\` | ${readBy.join(', ')} | ${setting.shownDefault ?? `\`${setting.default}\``} | ${meaning} |`;
};

const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1]!);

describe('docs/guide/configuration.md', () => {
  it('has a row for every setting, as the table of the code says it, and none for others', () => {
    const rows = page.split('\n').filter((line) => /^\| `[A-Z_]+` \| \w/.test(line));
    expect(rows).toEqual(Object.entries(SETTINGS).map(rowOf));
  });

  it('names every setting whose value is a secret', () => {
    const secrets = Object.entries<Setting>(SETTINGS).filter(([, { isSecret }]) => isSecret);
    const paragraph = page.split('\n\n').find((text) => text.startsWith('Secrets may come from a file'))!;
    for (const [name] of secrets) expect(paragraph).toContain(`\`${name}\``);
  });

  it('has defaults that are right', () => {
    for (const { kind, default: text } of Object.values<Setting>(SETTINGS)) if (text !== undefined) kind(text);
  });

  it('is all that the programs read', () => {
    const sources = readdirSync(join(ROOT, 'apps'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => read(join('apps', path)));
    const names = sources.flatMap((text) => namesIn(text, /env(?:\['|\.)([A-Z][A-Z0-9_]+)\b/g));
    const written = ['CI', 'TERM', ...OF_THE_TERMINAL, ...OF_CI, ...OF_COMMANDS];
    expect(names.filter((name) => !written.includes(name))).toEqual([]);
    for (const name of OF_THE_TERMINAL) expect(names).toContain(name);
    for (const name of written) expect(page).toMatch(new RegExp(`\`${name}[\`=]`));
  });

  it('has an example of the file of commands that is right', () => {
    const section = page.split('## Commands of rollouts')[1]!;
    const { data } = CommandsFile.safeParse(JSON.parse(/```json\n([\s\S]*?)```/.exec(section)![1]!));
    expect(Object.keys(data!.commands)).toEqual(['check-gpu', 'reload-server']);
    for (const field of Object.keys(data!.commands['reload-server']!)) expect(section).toContain(`| \`${field}\` |`);
  });

  it('has every field of the gateway data file, and an example that is right', () => {
    const section = page.split('## Gateway data')[1]!.split('## Commands of rollouts')[0]!;
    const entry = /const Entry = z\.strictObject\(\{([\s\S]*?)\n\}\)/.exec(
      read('packages/contracts/gateway-data.ts'),
    )![1]!;
    const fields = namesIn(entry, /^ {2}([a-z]\w+):/gm);
    expect(fields.length).toBeGreaterThan(3);
    expect(namesIn(section, /^\| `(\w+)` \|/gm).sort()).toEqual(fields.sort());
    expect(GatewayDataFile.safeParse(JSON.parse(/```json\n([\s\S]*?)```/.exec(section)![1]!)).success).toBe(true);
    const limits = page.split('## Limits that change')[1]!;
    expect(HostLimitsBody.safeParse(JSON.parse(/```json\n([\s\S]*?)```/.exec(limits)![1]!)).success).toBe(true);
  });
});
