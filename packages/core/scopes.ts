/** What a token may do: `admin` includes `write`, `write` includes `read`. */
const LEVELS = ['read', 'write', 'admin'] as const;

export type Scope = (typeof LEVELS)[number];

/** Parts of the API that a scope may be for alone, such as `rollouts:write`. */
export const SCOPE_AREAS = ['downloads', 'rollouts', 'hosts', 'models', 'metrics', 'sources'] as const;

export type ScopeArea = (typeof SCOPE_AREAS)[number];

/** Every scope that a token may have. */
export const TOKEN_SCOPES: readonly string[] = [
  ...LEVELS,
  ...SCOPE_AREAS.flatMap((area) => [`${area}:read`, `${area}:write`]),
];

/** What a user of the dashboard may do. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;

export type Role = (typeof ROLES)[number];

/** A user has the scopes of a token: of everything to read, of everything to change, or all. */
export const SCOPE_OF_ROLE: Readonly<Record<Role, Scope>> = { viewer: 'read', operator: 'write', admin: 'admin' };

/**
 * True when one of the token's scopes includes the needed one; an unknown scope allows nothing.
 *
 * @param area of the route; a scope of another area does not count
 */
export const allows = (scopes: readonly string[], needed: Scope, area?: ScopeArea): boolean =>
  scopes.some((scope) => {
    if (!TOKEN_SCOPES.includes(scope)) return false;
    const [level, of] = scope.split(':').reverse() as [Scope, string | undefined];
    return (of === undefined || of === area) && LEVELS.indexOf(level) >= LEVELS.indexOf(needed);
  });

const AREA_OF_PATH: Readonly<Record<string, ScopeArea>> = {
  ...Object.fromEntries(SCOPE_AREAS.map((area) => [area, area])),
  'bulk-actions': 'downloads',
  'host-facets': 'hosts',
  cids: 'models',
  sites: 'hosts',
  swarm: 'downloads',
};

/** @returns the area of a route such as `/api/hosts/:name`; undefined when only general scopes count */
export const areaOf = (route: string): ScopeArea | undefined =>
  route === '/metrics' ? 'metrics' : AREA_OF_PATH[route.split('/')[2] ?? ''];
