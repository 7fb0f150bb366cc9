import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import type { User } from '#contracts/http/access/users';
import { steppedClock } from '../../../helpers/stepped-clock.ts';
import { startApp, type Answer, type TestApp } from '../start-app.ts';
import { openBrowser, type Browser } from './browser.ts';

/** Of every user that `makeUser` makes. */
export const PASSWORD = 'correct horse battery';

/** An API for the tests of a file, its users, and a clock that can be set forward. */
export interface ApiWithUsers {
  /** Only inside of tests and of later hooks. */
  readonly api: () => TestApp;
  /** Sets the clock of the API forward; milliseconds. */
  later(ms: number): void;
  /** Headers of the token that may do everything. */
  asAdmin(): { readonly authorization: string };
  makeUser(name: string, role: string): Promise<User>;
  /** A browser with a new session of the user. */
  signedIn(name: string): Promise<Browser>;
}

/** Starts the API before the tests of the file. Failed sign-ins of a test are forgotten, so that they do not slow down the next one. */
export function startApiWithUsers(): ApiWithUsers {
  let api: TestApp;
  const clock = steppedClock();
  beforeAll(async () => {
    api = await startApp({ now: clock.now });
  });
  afterAll(() => api.stop());
  beforeEach(async () => {
    await api.deps.database.pool.query('DELETE FROM sign_in_failures');
  });
  const asAdmin = () => ({ authorization: `Bearer ${api.tokens.admin}` });
  return {
    api: () => api,
    later: clock.pass,
    asAdmin,
    async makeUser(name, role) {
      const made = await api.call('POST', '/api/users', { name, role, password: PASSWORD }, asAdmin());
      expect(made.statusCode).toBe(201);
      return made.json<User>();
    },
    async signedIn(user) {
      const browser = openBrowser(api);
      expect((await browser.send('POST', '/api/session', { user, password: PASSWORD })).statusCode).toBe(201);
      return browser;
    },
  };
}

/** Status and code of a refusal. */
export const codeOf = (answer: Answer): [number, string] => [answer.statusCode, answer.json<Problem>().code];
