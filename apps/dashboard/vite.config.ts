import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

/** Where `npx vite apps/dashboard` finds the API while pages are being written. */
const API = 'http://127.0.0.1:7420';

/** Lets the browser load the code of the pages beside the script that asks for their data, and not after it. */
const loadPagesAtOnce: Plugin = {
  name: 'load-pages-at-once',
  transformIndexHtml: {
    order: 'post',
    handler: (html, { bundle = {} }) => {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk');
      const files = new Set<string>();
      const take = (file: string): void => {
        if (files.has(file) || html.includes(file)) return;
        files.add(file);
        chunks.find(({ fileName }) => fileName === file)!.imports.forEach(take);
      };
      take(chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith('/start.tsx')))!.fileName);
      return [...files].map((file) => ({
        ...{ tag: 'link', injectTo: 'head' as const },
        attrs: { rel: 'modulepreload', crossorigin: true, href: `/${file}` },
      }));
    },
  },
  apply: 'build',
};

export default defineConfig({
  root: import.meta.dirname,
  plugins: [loadPagesAtOnce],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    // The content security policy has no `data:` for scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // A test weighs what is loaded first, compressed.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // What asks for the first data runs while the browser is still reading the rest.
            { name: 'ask-ahead', tags: ['$initial'], priority: 2 },
            { name: 'first-pages', test: /[\\/]start\.tsx$/, priority: 1 },
          ],
        },
      },
      onLog: (level, log, report) => {
        // Libraries mark what servers must not render; nothing is rendered on a server here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  server: { proxy: { '/api': { target: API, ws: true }, '/admin': API, '/docs': API } },
});
