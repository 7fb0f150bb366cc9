/** @jest-config-loader esbuild-register */
import { availableParallelism } from 'node:os';
import type { Config } from 'jest';

const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/test/interop/[^/]+/node_modules'],
} satisfies Config;

/** `unit` needs nothing but Node; `integration` (`*.int.test.ts`) needs the services that scripts/test.mjs starts. */
const config: Config = {
  /** Ends a test that hangs; no test depends on speed, and a wait says before this what it waited for. */
  testTimeout: 300_000,
  /** Tests mostly wait, for processes, servers and clocks: two cores have room for three files at once. */
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  /** Modules of finished test files stay in memory. */
  workerIdleMemoryLimit: '1GB',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['\\.int\\.test\\.ts$', '/node_modules/'],
    },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/test/**/*.int.test.ts'] },
  ],
};

export default config;
