#!/usr/bin/env node
/*
 * Stands in for Prisma's native schema engine, which is fetched from the network when it is first needed:
 * the same engine as WebAssembly, from npm. Speaks what the CLI speaks with the native one: JSON-RPC, one message
 * per line, on stdin and stdout; and `cli can-connect-to-database`. prisma.config.ts names this file.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';

const PRISMA_CODE_BY_SQLSTATE = { '28P01': 'P1000', 28000: 'P1000', '3D000': 'P1003' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { datamodels: { type: 'string', multiple: true }, datasource: { type: 'string' } },
});
const url = values.datasource === undefined ? process.env.DATABASE_URL : JSON.parse(values.datasource).url;

if (positionals[0] === 'cli') await answerOnce(positionals[1]);
else serve();

async function answerOnce(command) {
  if (command !== 'can-connect-to-database') {
    fail(`the offline engine cannot "${command}": create the database with createdb, or install the native engine`);
    return;
  }
  try {
    const adapter = await new PrismaPg({ connectionString: url, max: 1 }).connect();
    await adapter.queryRaw({ sql: 'SELECT 1', args: [], argTypes: [] });
    await adapter.dispose();
    process.stdout.write('Connection successful\n');
  } catch (error) {
    const state = error.cause?.originalCode ?? error.cause?.code;
    fail(`cannot use the database: ${error.cause?.originalMessage ?? error.message}`, PRISMA_CODE_BY_SQLSTATE[state]);
  }
}

/** The CLI skips the first line of the log. */
function fail(message, error_code = 'P1001') {
  const fields = { message, error_code, is_panic: false };
  process.stderr.write(
    `offline engine\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields })}`,
  );
  process.exitCode = 1;
}

/** One call at a time: the engine is one connection. */
async function serve() {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  let engine;
  for await (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    if (method === undefined) continue;
    try {
      engine ??= await startEngine();
      const result = (await engine[method === 'getDatabaseVersion' ? 'version' : method](params)) ?? {};
      if (result.stdout) reply({ id: 'print', method: 'print', params: { content: result.stdout } });
      reply({ id, result });
    } catch (error) {
      reply({ id, error: { code: 4466, message: 'An error happened', data: describe(error) } });
    }
  }
  process.exit(process.exitCode);
}

const reply = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

const describe = (error) => ({
  is_panic: false,
  message: error.message ?? String(error),
  ...(error.code === undefined ? {} : { error_code: error.code }),
});

async function startEngine() {
  const wasm = join(
    dirname(fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'))),
    'schema_engine_bg.wasm',
  );
  const { instance } = await globalThis.WebAssembly.instantiate(await readFile(wasm), {
    './schema_engine_bg.js': glue,
  });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const files = await Promise.all((values.datamodels ?? []).map(async (path) => [path, await readFile(path, 'utf8')]));
  const adapter = bindMigrationAwareSqlAdapterFactory(adapterFactory());
  return glue.SchemaEngine.new({ datamodels: files }, () => undefined, adapter);
}

/** The adapter would cut a script at every ';', inside comments too: Postgres itself takes it whole. */
function adapterFactory() {
  const factory = new PrismaPg({ connectionString: url, max: 1 });
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    adapter.executeScript = async (script) => void (await adapter.underlyingDriver().query(script));
    return adapter;
  };
  return factory;
}
