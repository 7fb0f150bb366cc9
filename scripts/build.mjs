import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { CACHE, at, digestOf, filesBelow, readText, run, say, step } from './project.mjs';

const SOURCES = [
  'apps',
  'packages',
  'bench',
  'prisma',
  'prisma.config.ts',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
];
const STAMP = join(CACHE, 'build.stamp');
const GENERATED_STAMP = join(CACHE, 'generated.stamp');
const SCHEMA = at('prisma/schema.prisma');
/** The command line in few files, and what it loads of ours. */
const BUNDLES = 'dist/bundles/cli';
/** The pages of the dashboard, as the API serves them. */
const PAGES = 'dist/dashboard';
const PAGES_STAMP = join(CACHE, 'dashboard.stamp');
/** What the pages are made of; the packages are those that they import. */
const PAGES_SOURCES = ['apps/dashboard', 'packages/client', 'packages/contracts', 'packages/core'];
const GENERATED = at('packages/database/generated/client.ts');

/** Builds when a source differs from what the last build saw. */
export async function buildIfChanged() {
  const digest = digestOf([...filesBelow(SOURCES), 'package-lock.json']);
  const isComplete = existsSync(at('dist')) && (existsSync(GENERATED) || !existsSync(SCHEMA));
  if (readText(STAMP) === digest && isComplete) return;
  await build();
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(STAMP, digest);
}

export async function build() {
  await generateIfChanged();
  // Without its output, TypeScript's own notes say wrongly that there is nothing to do.
  if (!existsSync(at('dist'))) rmSync(join(CACHE, 'build.tsbuildinfo'), { force: true });
  await step('building', () =>
    run(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json']),
  );
  await bundleCli();
  await buildPagesIfChanged();
}

/** The API sends what lies there: compressing at each request would cost its event loop more than the rest of the answer. */
async function compressPages() {
  const assets = readdirSync(at(PAGES, 'assets')).map((name) => at(PAGES, 'assets', name));
  await Promise.all(
    assets.map(async (path) => {
      const bytes = readFileSync(path);
      writeFileSync(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }));
      writeFileSync(`${path}.br`, await promisify(brotliCompress)(bytes));
    }),
  );
}

/** Apart from the rest: most changes do not concern the pages, and their tools take seconds to load. */
async function buildPagesIfChanged() {
  const digest = digestOf([...filesBelow(PAGES_SOURCES), 'package-lock.json']);
  if (readText(PAGES_STAMP) === digest && existsSync(at(PAGES, 'index.html'))) return;
  await step('building the dashboard', async () => {
    const { build: bundle } = await import('vite');
    await bundle({ configFile: at('apps/dashboard/vite.config.ts'), logLevel: 'warn' });
    await compressPages();
  });
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(PAGES_STAMP, digest);
}

/**
 * `haulier fetch` competes with curl: two files load in a third of the time of its hundred modules. The hash thread lies beside
 * them, where the bundle looks for it; the other commands stay what tsc made of them. What is CommonJS inside asks for `require`.
 */
async function bundleCli() {
  rmSync(at(BUNDLES), { recursive: true, force: true });
  // By itself: what the thread shares with the command would be further files to load for both.
  await bundleOf('dist/packages/transfer/proof/digest-thread.js');
  const inputs = await bundleOf('dist/apps/cli/main.js');
  writeFileSync(join(at(BUNDLES), 'modules.json'), JSON.stringify(inputs));
}

/** @returns the modules that are in it */
async function bundleOf(entry) {
  const { build: bundle } = await import('esbuild');
  const { metafile } = await bundle({
    entryPoints: [at(entry)],
    outdir: at(BUNDLES),
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['hash-wasm', '@hpcc-js/wasm-zstd'],
    plugins: [
      { name: 'shared', setup: leaveShared },
      { name: 'builtins', setup: loadBuiltinsLate },
    ],
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  return Object.keys(metafile.inputs);
}

/** The other commands, and the errors by which the program knows how they ended, are not copied into the bundle. */
function leaveShared(bundle) {
  bundle.onResolve({ filter: /\/(commands\/|demo\/|exit-code)/ }, ({ path, resolveDir }) => {
    const shared = relative(at('dist/apps/cli'), join(resolveDir, path));
    if (BUNDLED.has(shared)) return undefined;
    return { path: relative(BUNDLES, join('dist/apps/cli', shared)), external: true };
  });
}

const BUNDLED = new Set(['commands/models/fetch.js', 'commands/bundles/bundle-create.js']);

/**
 * Half of the start of a short command was Node's own modules. `import` of one links it with every name that it exports, and so
 * loads what some of the names need (`node:crypto` the whole of Web Crypto); `require` does not. Those in LATE are loaded when a
 * name of theirs is used first.
 */
function loadBuiltinsLate(bundle) {
  bundle.onResolve({ filter: /^node:/ }, ({ path, namespace, importer, kind }) => {
    if (namespace !== 'file') return { path, external: true };
    if (importer.includes(UNDICI) && path in OF_UNDICI) return { path, namespace: 'of-undici' };
    if (LATE.has(path)) return { path, namespace: 'late' };
    return kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : { path, external: true };
  });
  bundle.onLoad({ filter: /^/, namespace: 'of-undici' }, ({ path }) => ({ contents: OF_UNDICI[path] }));
  bundle.onLoad({ filter: /^/, namespace: 'late' }, async ({ path }) => ({ contents: await lateModule(path) }));
  bundle.onLoad({ filter: /^/, namespace: 'builtin' }, async ({ path }) => ({ contents: await requiredModule(path) }));
  bundle.onResolve({ filter: RARELY_LOADED }, ({ path, importer }) =>
    importer.includes(UNDICI) ? { path: `undici/lib/${path.replace('../', '')}`, external: true } : undefined,
  );
  bundle.onLoad({ filter: /undici\/lib\/dispatcher\/client\.js$/ }, ({ path }) => ({
    contents: withLateHttp2(readText(path)),
  }));
}

const LATE = new Set(['node:child_process', 'node:perf_hooks', 'node:tls', 'node:worker_threads']);
const UNDICI = '/undici/';
/** Parts of undici that stay in its folder: a parser for processors without vector instructions, and bodies that are forms. */
const RARELY_LOADED = /^\.\.\/(llhttp\/llhttp-wasm|web\/fetch\/body)\.js$/;

/** What undici's Client asks of two modules: checks that never fail, a class of bodies that we never send, a bound that we set. */
const OF_UNDICI = {
  'node:assert': `module.exports = new Proxy((value, message) => value || require('node:assert')(value, message), {
    get: (_, name) => require('node:assert')[name],
  });`,
  'node:http': `exports.IncomingMessage = class IncomingMessage {};
    exports.maxHeaderSize = 16384;`,
};

const namesOf = async (path) => Object.keys(await import(path)).filter((name) => name !== 'default');

/** One constant for each name; those that are not used are left out of the bundle. */
async function requiredModule(path) {
  const names = await namesOf(path);
  const constants = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`);
  return [`const all = require('${path}');`, ...constants, 'export default all;'].join('\n');
}

async function lateModule(path) {
  const names = await namesOf(path);
  return `module.exports = { ${names.map((name) => `get ${name}() { return require('${path}').${name}; }`).join(', ')} };`;
}

/** HTTP/2, and `node:http2` with it, is loaded for a server that speaks it. */
function withLateHttp2(text) {
  const eager = "const connectH2 = require('./client-h2.js')";
  if (!text.includes(eager)) throw new Error(`undici's client no longer says: ${eager}`);
  return text.replace(eager, "const connectH2 = (...args) => require('./client-h2.js')(...args)");
}

/** The stamp is written last: a client that was generated in part is generated again. */
async function generateIfChanged() {
  if (!existsSync(SCHEMA)) return;
  const digest = digestOf(['prisma/schema.prisma', 'prisma.config.ts', 'package-lock.json']);
  if (existsSync(GENERATED) && readText(GENERATED_STAMP) === digest) return;
  await step('generating the database client', generate);
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(GENERATED_STAMP, digest);
}

function generate() {
  const quiet = { PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
  return run(process.execPath, [at('node_modules/prisma/build/index.js'), 'generate'], quiet);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await build().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
