import { SIGN_IN_PAGE } from '#contracts/http/access/session';

/** What the first start of an API makes once; it stores only hashes. */
export interface FirstAccess {
  readonly adminToken?: string;
  readonly setupCode?: string;
}

/** @param messages what the API sent to its parent process */
export const firstAccess = (messages: readonly unknown[]): FirstAccess =>
  Object.assign({}, ...messages.filter((message) => typeof message === 'object')) as FirstAccess;

/** @returns the address of the dashboard, which signs in once where there is a setup code */
export const dashboardAddress = (apiUrl: string, { setupCode }: FirstAccess): string =>
  `${apiUrl}${setupCode === undefined ? '/' : `${SIGN_IN_PAGE}#code=${setupCode}   (signs you in once, as an admin)`}`;
