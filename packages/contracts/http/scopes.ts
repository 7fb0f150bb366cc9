/** What a token may do: `admin` includes `write`, `write` includes `read`. */
const SCOPES = ['read', 'write', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

/** True when one of the token's scopes includes the needed one; an unknown scope allows nothing. */
export const allows = (scopes: readonly string[], needed: Scope): boolean =>
  scopes.some((scope) => SCOPES.indexOf(scope as Scope) >= SCOPES.indexOf(needed));
