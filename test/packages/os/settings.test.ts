import { describe, expect, it } from '@jest/globals';
import { settingOf, settingsOf } from '#os/settings';

const files = (path: string): string => {
  if (path === '/run/token') return 'from the file\n';
  if (path === '/run/empty') return '\n';
  throw new Error(`ENOENT ${path}`);
};

describe('a setting', () => {
  it.each([
    ['the variable', { TOKEN: 'given' }, 'given'],
    ['the variable, where both are given', { TOKEN: 'given', TOKEN_FILE: '/run/token' }, 'given'],
    ['the file that its twin names', { TOKEN_FILE: '/run/token' }, 'from the file'],
    ['the file, where the variable is set to nothing', { TOKEN: '', TOKEN_FILE: '/run/token' }, 'from the file'],
    ['left out, where both are set to nothing', { TOKEN: '', TOKEN_FILE: '' }, undefined],
    ['left out, where the file is empty', { TOKEN_FILE: '/run/empty' }, undefined],
  ])('is %s', (_what, env, value) => {
    expect(settingOf(env, 'TOKEN', files)).toBe(value);
  });

  it('whose file cannot be read is named with the file and the reason', () => {
    const message = 'TOKEN_FILE is "/none", which cannot be read: ENOENT /none';
    expect(() => settingOf({ TOKEN_FILE: '/none' }, 'TOKEN', files)).toThrow(message);
    const env = { A_FILE: '/none', B: 'b', C: '', D: 'not asked for', E_FILE: '/none' };
    const { given, problems } = settingsOf(env, ['A', 'B', 'C', 'E'], files);
    expect(given).toEqual({ B: 'b' });
    expect(problems).toHaveLength(2);
  });
});
