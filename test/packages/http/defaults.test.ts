import { expect, it } from '@jest/globals';
import { DEFAULT_TIMEOUTS } from '#http/pool';
import { createProgram } from '../../../apps/cli/program.ts';
import { readWorkerConfig } from '../../../apps/worker/config.ts';

it('CH1 CH3 a source is timed out after 30 s without a byte, in the library, the worker and the command line', () => {
  expect(DEFAULT_TIMEOUTS).toMatchObject({ stallMs: 30_000, headersMs: 30_000 });
  expect(readWorkerConfig({ REDIS_URL: 'redis://127.0.0.1:6379' }).stallTimeoutMs).toBe(30_000);
  const fetch = createProgram({} as Parameters<typeof createProgram>[0]).commands.find((one) => one.name() === 'fetch');
  expect(fetch!.opts()['stallTimeout']).toBe('30s');
});
