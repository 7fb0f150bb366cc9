/*
 * Addresses of servers are changed as texts: those of Sentinel and of a cluster name several hosts, which is no URL for a parser.
 */

const LOGIN = /^([a-z][a-z0-9+.-]*:\/\/)[^@/?#]*@/i;

/** @returns the address without user and password */
export const withoutLogin = (address: string): string => address.replace(LOGIN, '$1');

/** @returns the address with this user and password instead of its own */
export const withLogin = (address: string, user: string, password: string): string =>
  withoutLogin(address).replace('://', () => `://${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
