import type { Served } from '../helpers/origin/origin-routes.ts';
import type { SampleFile } from '../helpers/sample-file.ts';

/** The files as the repository `acme/sample` of the fake origin's hub. */
export const hubOf = (files: readonly SampleFile[]): Served => ({
  repos: {
    'acme/sample': {
      commit: 'c'.repeat(40),
      files: Object.fromEntries(files.map(({ path, content }) => [path, content])),
    },
  },
});
