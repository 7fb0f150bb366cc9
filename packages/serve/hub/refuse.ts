import { answerJson, type Exchange, type Headers } from '../http/exchange.ts';

/** What clients turn into an exception of theirs; without it they blame the network. */
export type HubErrorCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound' | 'GatedRepo';

/** Refuses as a hub does. */
export function refuse(
  exchange: Exchange,
  status: number,
  code: HubErrorCode | undefined,
  message: string,
  headers: Headers = {},
): void {
  const named = { 'x-error-message': message.replace(/[^\x20-\x7e]/g, '?') };
  const coded = code === undefined ? named : { ...named, 'x-error-code': code };
  answerJson(exchange, status, { error: message }, { ...coded, 'cache-control': 'no-store', ...headers });
}

/** Refuses a file or a description of a repository whose terms the owner of this server has not accepted. */
export const refuseGated = (exchange: Exchange, repo: string): void =>
  refuse(exchange, 403, 'GatedRepo', `${repo} is gated: accept its terms on the hub, for the token of this server`);

/** Refuses what would change something: a client that uploads must not take the answer to a GET for its success. */
export const refuseMethod = (exchange: Exchange): void =>
  refuse(exchange, 405, undefined, `${exchange.request.method} is not served: this server gives files and takes none`, {
    allow: 'GET, HEAD',
  });
