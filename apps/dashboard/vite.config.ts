import { defaultClientConditions, defineConfig } from 'vite';

/** Where `npx vite apps/dashboard` finds the API while pages are being written. */
const API = 'http://127.0.0.1:7420';

export default defineConfig({
  root: import.meta.dirname,
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
    manifest: 'manifest.json',
    rolldownOptions: {
      onLog: (level, log, report) => {
        // Libraries mark what servers must not render; nothing is rendered on a server here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  server: { proxy: { '/api': { target: API, ws: true }, '/admin': API, '/docs': API } },
});
