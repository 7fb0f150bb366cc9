import { describe, expect, it } from '@jest/globals';
import { readApiConfig } from '../../../apps/api/config.ts';
import { makeToken } from '../../../apps/api/access/token-format.ts';

const NEEDED = { DATABASE_URL: 'postgresql://u:p@db/haulier', REDIS_URL: 'redis://redis:6379' };
const noFile = (path: string): string => {
  throw new Error(`ENOENT ${path}`);
};

describe('readApiConfig', () => {
  it('listens on the loopback address unless told otherwise', () => {
    expect(readApiConfig(NEEDED, noFile)).toMatchObject({ bind: '127.0.0.1', port: 7420, queueBoard: 'writable' });
  });

  it('takes a secret from the file its twin names', () => {
    const env = { ...NEEDED, HAULIER_ADMIN_TOKEN_FILE: '/run/token' };
    const config = readApiConfig(env, (path) => `${path}-is-a-long-secret\n`);
    expect(config.adminToken).toBe('/run/token-is-a-long-secret');
  });

  it('names every bad variable at once, and shows no secret', () => {
    const env = { REDIS_URL: 'http://:hunter2@redis', HAULIER_PORT: '70000', HAULIER_ADMIN_TOKEN: 'short' };
    const message = messageOf(() => readApiConfig({ ...env, HAULIER_SILENT_AFTER: 'soon' }, noFile));
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'HAULIER_PORT', 'HAULIER_ADMIN_TOKEN', 'HAULIER_SILENT_AFTER'])
      expect(message).toContain(name);
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('"short"');
  });

  it('K32 refuses an admin token that could never be accepted, without showing it', () => {
    const good = makeToken('pat');
    expect(readApiConfig({ ...NEEDED, HAULIER_ADMIN_TOKEN: good }, noFile).adminToken).toBe(good);
    const mistyped = good.slice(0, -1) + (good.endsWith('0') ? '1' : '0');
    for (const token of [mistyped, 'haulier_admin_of_our_team', 'a token with spaces inside', 'pässwörter-sind-schön'])
      expect(messageOf(() => readApiConfig({ ...NEEDED, HAULIER_ADMIN_TOKEN: token }, noFile))).toMatch(
        /HAULIER_ADMIN_TOKEN (could never be accepted: it begins like|is not usable .*: write 20 to 200 ASCII)/,
      );
    expect(messageOf(() => readApiConfig({ ...NEEDED, HAULIER_ADMIN_TOKEN: mistyped }, noFile))).not.toContain(
      mistyped,
    );
  });

  it('K31 warns of variables that are mistyped, and starts', () => {
    const { warnings } = readApiConfig({ ...NEEDED, HAULIER_LOGLEVEL: 'debug' }, noFile);
    expect(warnings).toEqual(['HAULIER_LOGLEVEL is no setting and has no effect: did you mean HAULIER_LOG_LEVEL?']);
  });

  it('needs no Redis where only the database is migrated', () => {
    expect(readApiConfig({ DATABASE_URL: NEEDED.DATABASE_URL }, noFile, ['REDIS_URL']).databaseUrl).toBe(
      NEEDED.DATABASE_URL,
    );
    expect(messageOf(() => readApiConfig({}, noFile, ['REDIS_URL']))).not.toContain('REDIS_URL');
  });

  it('says which file could not be read', () => {
    const message = messageOf(() => readApiConfig({ ...NEEDED, DATABASE_URL: '', DATABASE_URL_FILE: '/none' }, noFile));
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
