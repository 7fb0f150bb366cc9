import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
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
}

/**
 * `haulier fetch` competes with curl: two files load in a third of the time of its hundred modules. The hash thread lies beside
 * them, where the bundle looks for it; the other commands stay what tsc made of them. What is CommonJS inside asks for `require`.
 */
async function bundleCli() {
  const { build: bundle } = await import('esbuild');
  rmSync(at(BUNDLES), { recursive: true, force: true });
  const { metafile } = await bundle({
    entryPoints: [at('dist/apps/cli/main.js'), at('dist/packages/transfer/digest-thread.js')],
    outdir: at(BUNDLES),
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['hash-wasm', '@hpcc-js/wasm-zstd'],
    plugins: [{ name: 'shared', setup: leaveShared }],
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  writeFileSync(join(at(BUNDLES), 'modules.json'), JSON.stringify(Object.keys(metafile.inputs)));
}

/** The other commands, and the errors by which the program knows how they ended, are not copied into the bundle. */
function leaveShared(bundle) {
  bundle.onResolve({ filter: /^\.{1,2}\/(commands\/|exit-code)/ }, ({ path }) => {
    if (path === './commands/fetch.js' || path === './commands/bundle-create.js') return undefined;
    return { path: relative(BUNDLES, join('dist/apps/cli', path.replace('../', './'))), external: true };
  });
}

/** The stamp is written last: a client that was generated in part is generated anew. */
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
