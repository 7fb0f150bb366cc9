import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import { borderConfigs } from './eslint.borders.js';

const noExit = {
  object: 'process',
  property: 'exit',
  message: 'Only apps/*/main.ts ends the process: throw, or return.',
};
const noEnv = { object: 'process', property: 'env', message: 'Only apps/*/main.ts reads the environment.' };

export default tseslint.config(
  { ignores: ['dist', 'coverage', '.cache', '**/generated', 'test/interop/*/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      complexity: ['error', 12],
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['apps/**/*.ts', 'apps/**/*.tsx', 'packages/**/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-restricted-properties': ['error', noExit, noEnv],
    },
  },
  {
    // Markup: a line an attribute, and each condition is something that is shown or not.
    files: ['apps/dashboard/**/*.tsx'],
    rules: {
      'max-lines': ['error', { max: 320, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 100, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 24],
    },
  },
  {
    files: ['apps/*/main.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['scripts/**/*.mjs', '*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', setTimeout: 'readonly' } },
  },
  ...borderConfigs(),
);
