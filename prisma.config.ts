import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'prisma/config';

/*
 * The CLI would fetch its native engine from the network, even for `generate`. Where nobody installed it, the same
 * engine as WebAssembly takes its place, so that a fresh clone builds offline and with install scripts blocked.
 */
const engines = dirname(createRequire(import.meta.url).resolve('@prisma/engines/package.json'));
const isNative = (name: string): boolean => /^schema-engine-(?!wasm)/.test(name);
if (!readdirSync(engines).some(isNative))
  process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= fileURLToPath(new URL('prisma/offline-engine.mjs', import.meta.url));

const url = process.env['DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url === undefined ? {} : { datasource: { url } }),
});
