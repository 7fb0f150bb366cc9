import { SIGN_IN_PAGE } from '#contracts/http/access/session';

/** What an API tells its parent process at its first start; it stores only hashes. */
export interface AccessMessage {
  readonly adminToken?: string;
  readonly setupCode?: string;
}

/** @param messages what the API sent to its parent process */
export const firstAccess = (messages: readonly unknown[]): AccessMessage =>
  Object.assign({}, ...messages.filter((message) => typeof message === 'object')) as AccessMessage;

/** @returns the address of the dashboard, which signs in once where there is a setup code */
export const dashboardAddress = (apiUrl: string, { setupCode }: AccessMessage): string =>
  `${apiUrl}${setupCode === undefined ? '/' : `${SIGN_IN_PAGE}#code=${setupCode}   (signs you in once, as an admin)`}`;
