import type { AuditList } from '#contracts/http/access/audit';
import type { Me } from '#contracts/http/access/session';
import type { CreateTokenInput, NewToken, Token, TokenList } from '#contracts/http/access/tokens';
import { send, type ClientOptions } from './send.ts';

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** The beginning of it, such as `hosts/gpu-017`. */
  readonly target?: string | undefined;
  readonly since?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/** Tokens, and who did what. Each method throws ApiError or UnreachableError. */
export interface AccessClient {
  /** The only answer that has the token itself. */
  createToken(body: CreateTokenInput): Promise<NewToken>;
  /** Newest first. @param state all of them with `all`; left out: those that can be used */
  listTokens(state?: 'active' | 'expired' | 'revoked' | 'all'): Promise<Token[]>;
  revokeToken(id: string): Promise<Token>;
  /** The token that this client sends, or the user of the session of the browser. */
  getMe(): Promise<Me>;
  /** Newest first. */
  listAudit(filter?: AuditFilter): Promise<AuditList>;
}

export const accessMethods = (options: ClientOptions): AccessClient => ({
  createToken: (body) => send(options, { method: 'POST', path: '/api/tokens', body }),
  async listTokens(state) {
    const tokens: Token[] = [];
    for (let cursor: string | undefined; ;) {
      const query = { state, cursor, limit: 500 };
      const page: TokenList = await send<TokenList>(options, { method: 'GET', path: '/api/tokens', query });
      tokens.push(...page.tokens);
      if (page.nextCursor === null) return tokens;
      cursor = page.nextCursor;
    }
  },
  revokeToken: (id) => send(options, { method: 'DELETE', path: `/api/tokens/${encodeURIComponent(id)}` }),
  getMe: () => send(options, { method: 'GET', path: '/api/me' }),
  listAudit: (filter = {}) => send(options, { method: 'GET', path: '/api/audit', query: { ...filter } }),
});
