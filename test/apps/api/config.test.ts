import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../../apps/api/config.ts';

const NEEDED = { DATABASE_URL: 'postgresql://u:p@db/haulier', REDIS_URL: 'redis://redis:6379' };
const noFile = (path: string): string => {
  throw new Error(`ENOENT ${path}`);
};

describe('readConfig', () => {
  it('listens on the loopback address unless told otherwise', () => {
    expect(readConfig(NEEDED, noFile)).toMatchObject({ bind: '127.0.0.1', port: 7420, queueBoard: 'read-only' });
  });

  it('takes a secret from the file its twin names', () => {
    const env = { ...NEEDED, HAULIER_ADMIN_TOKEN_FILE: '/run/token' };
    const config = readConfig(env, (path) => `${path} is a long secret\n`);
    expect(config.adminToken).toBe('/run/token is a long secret');
  });

  it('names every bad variable at once, and shows no secret', () => {
    const env = { REDIS_URL: 'http://:hunter2@redis', HAULIER_PORT: '70000', HAULIER_ADMIN_TOKEN: 'short' };
    const message = messageOf(() => readConfig({ ...env, HAULIER_SILENT_AFTER: 'soon' }, noFile));
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'HAULIER_PORT', 'HAULIER_ADMIN_TOKEN', 'HAULIER_SILENT_AFTER'])
      expect(message).toContain(name);
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('"short"');
  });

  it('says which file could not be read', () => {
    const message = messageOf(() => readConfig({ ...NEEDED, DATABASE_URL: '', DATABASE_URL_FILE: '/none' }, noFile));
    expect(message).toContain('DATABASE_URL_FILE is "/none", which cannot be read: ENOENT /none');
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}
