import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

describe('a second worker with the name of a host that has one', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ hosts: ['host-a'] });
  });
  afterAll(() => system.stop());

  it('N42 ends with a sentence, the first one goes on, and the host has a notice', async () => {
    await until(async () => (await system.logOf('worker-host-a')).includes('worker takes jobs'), {
      ...{ what: 'the first worker takes jobs' },
    });
    const second = await system.startWorker('HOST-A', { HAULIER_HOME: system.homeOf('elsewhere') });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(await second.logTail()).toMatch(
      /another worker serves the host "HOST-A" already, on the machine ".+": stop/,
    );
    await until(async () => (await system.client.getStatus()).notices.some((one) => one.notice === 'second_worker'), {
      ...{ what: 'the notice is there' },
    });
    expect((await system.client.getStatus()).notices[0]).toMatchObject({ host: 'host-a', notice: 'second_worker' });
    expect((await system.client.listHosts()).map(({ name }) => name)).toEqual(['host-a']);
  });

  it('N42 takes over at once when it is the same worker again', async () => {
    await system.kill(system.workers[0]!);
    const again = await system.startWorker('host-a');
    await until(async () => (await again.logTail()).includes('worker takes jobs'), { what: 'it takes jobs' });
  });
});
