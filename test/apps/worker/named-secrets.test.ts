import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../../apps/worker/config.ts';

const REDIS_URL = 'redis://127.0.0.1:6379';

describe('secrets with a variable of their own', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'haulier-secrets-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('T09 are named by the variable, come from a file too, and join those of HAULIER_SECRETS', () => {
    const path = join(folder, 'archive');
    writeFileSync(path, '{"origin": "https://archive.example", "user": "reader", "password": "pass"}\n');
    const config = readWorkerConfig({
      REDIS_URL,
      HAULIER_SECRETS: '{"bucket": {"origin": "https://bucket.example", "query": "token=t"}}',
      HAULIER_SECRET_MIRROR_EU: '{"origin": "https://files.example", "authorization": "Bearer b"}',
      HAULIER_SECRET_ARCHIVE_FILE: path,
      HAULIER_SECRET_EMPTY: '',
    });
    expect(config.secrets).toMatchObject({
      'mirror-eu': { origin: 'https://files.example', authorization: 'Bearer b' },
      archive: { origin: 'https://archive.example', authorization: 'Basic cmVhZGVyOnBhc3M=' },
      bucket: { origin: 'https://bucket.example', query: 'token=t' },
    });
    expect(Object.keys(config.secrets)).toHaveLength(3);
    expect(config.warnings).toEqual([]);
  });

  it.each([
    ['no JSON', { HAULIER_SECRET_A: 'hunter2' }, /HAULIER_SECRET_A is not usable.*the secret "a" is no object/],
    ['no origin', { HAULIER_SECRET_A: '{"query": "hunter2"}' }, /HAULIER_SECRET_A is not usable.*needs "origin"/],
    [
      'a name that is none',
      { HAULIER_SECRET__A: '{"origin": "https://a.example", "query": "hunter2"}' },
      /HAULIER_SECRET__A is not usable.*"-a" has another name than is possible/,
    ],
    [
      'a secret in both places',
      {
        HAULIER_SECRET_A: '{"origin": "https://a.example", "query": "hunter2"}',
        HAULIER_SECRETS: '{"a": {"origin": "https://a.example", "query": "hunter2"}}',
      },
      /the secret "a" is in HAULIER_SECRETS and has a variable of its own/,
    ],
    ['a file that is missing', { HAULIER_SECRET_A_FILE: '/nowhere/a' }, /HAULIER_SECRET_A_FILE is "\/nowhere\/a"/],
  ])('T09 %s ends the start with the name of the variable and without the secret', (_what, env, message) => {
    const start = () => readWorkerConfig({ REDIS_URL, ...env });
    expect(start).toThrow(message);
    expect(start).not.toThrow(/hunter2/);
  });
});
