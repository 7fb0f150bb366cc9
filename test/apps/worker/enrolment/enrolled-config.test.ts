import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readEnrolSettings, readWorkerConfig } from '../../../../apps/worker/config.ts';
import { enrolmentPath, writeEnrolment, type Enrolment } from '../../../../apps/worker/enrolment/enrolment-file.ts';

describe('configuration of an enrolled worker', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-enrolled-'));
  });
  afterEach(() => rm(home, { recursive: true }));

  const enrolment: Enrolment = {
    version: 1,
    apiUrl: 'https://haulier.example',
    hostId: '0f8fad5b-d9cb-469f-a165-70867728950e',
    host: 'GPU-1',
    pool: false,
    workerToken: 'w',
    privateKey: 'k',
    redis: { url: 'rediss://redis.example:6380/2', user: '{haulier}:worker:gpu-1', password: 'p/w', prefix: '{h2}' },
  };
  const read = (env: Record<string, string> = {}) => readWorkerConfig({ HAULIER_HOME: home, ...env });
  const problemsOf = (env: Record<string, string>): string => {
    try {
      read(env);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('N43 needs no other setting: host, Redis and prefix come from the enrolment', async () => {
    await writeEnrolment(home, enrolment);
    expect(read()).toMatchObject({
      ...{ host: 'GPU-1', pool: false, checksVersions: false, privateKey: 'k' },
      redis: { url: 'rediss://%7Bhaulier%7D%3Aworker%3Agpu-1:p%2Fw@redis.example:6380/2', prefix: '{h2}' },
    });
  });

  it('N43 takes the address of REDIS_URL, and never its login', async () => {
    await writeEnrolment(home, enrolment);
    const { redis } = read({ REDIS_URL: 'redis://:shared@10.0.0.1:6379' });
    expect(redis.url).toBe('redis://%7Bhaulier%7D%3Aworker%3Agpu-1:p%2Fw@10.0.0.1:6379');
  });

  it('N43 serves the pool where it enrolled for it, unless told otherwise', async () => {
    await writeEnrolment(home, { ...enrolment, pool: true });
    expect(read()).toMatchObject({ pool: true, checksVersions: true });
    expect(read({ HAULIER_POOL: '0' })).toMatchObject({ pool: false, checksVersions: true });
  });

  it('N43 refuses another host name, and the pool where it did not enrol for it', async () => {
    await writeEnrolment(home, enrolment);
    expect(read({ HAULIER_HOST: 'gpu-1' }).host).toBe('gpu-1');
    expect(problemsOf({ HAULIER_HOST: 'gpu-2' })).toContain(
      'HAULIER_HOST is "gpu-2", and this host enrolled as "GPU-1"',
    );
    expect(problemsOf({ HAULIER_POOL: '1' })).toContain('HAULIER_POOL: this host enrolled for its own jobs alone');
  });

  it('N43 names a file that is damaged', async () => {
    await writeEnrolment(home, enrolment);
    await writeFile(enrolmentPath(home), '{"version":1}');
    expect(problemsOf({ REDIS_URL: 'redis://127.0.0.1' })).toContain(
      `"${enrolmentPath(home)}" is damaged: remove it and enrol`,
    );
  });

  it('reads what it enrols with, and names what is missing', () => {
    expect(readEnrolSettings({})).toBeUndefined();
    const env = {
      HAULIER_ENROLMENT_TOKEN: 'haulier_enr_x',
      HAULIER_URL: 'https://haulier.example/',
      HAULIER_HOME: home,
    };
    expect(readEnrolSettings({ ...env, HAULIER_HOST: 'GPU-1' })).toEqual({
      ...{ apiUrl: 'https://haulier.example', token: 'haulier_enr_x', host: 'GPU-1', home },
    });
    expect(() => readEnrolSettings(env)).toThrow('HAULIER_HOST is missing: the host enrols under this name');
  });
});
