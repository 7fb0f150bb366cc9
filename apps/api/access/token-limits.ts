import { selectableOf } from '#core/selector/host-labels';
import { isSelected, parseSelector } from '#core/selector/selector';
import { matchesPattern } from '#core/text/name-pattern';
import { hostKey } from '#core/text/host-name';
import { hostsNamed } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { RequestError } from '../server/errors/request-error.ts';
import type { Caller, TokenLimits } from './authenticate.ts';

/** What a request is about. */
export interface Deployed {
  /** Names of models; undefined stands for files that the request describes itself, which are no model. */
  readonly models: readonly (string | null | undefined)[];
  /** Names of hosts; null is the pool. */
  readonly hosts: readonly (string | null)[];
}

const MAX_NAMED = 3;

/**
 * Refuses what a limited token may not touch. A host must be known and match the selector of the token now.
 *
 * @param deployedOf is called only for a limited token
 * @throws RequestError `forbidden` that names what is outside
 */
export async function refuseOutsideLimits(
  database: Database,
  caller: Caller,
  deployedOf: () => Deployed | Promise<Deployed>,
): Promise<void> {
  const { limits } = caller;
  if (limits === undefined) return;
  const { models, hosts } = await deployedOf();
  const outside = modelProblem(limits, models) ?? (await hostProblem(database, limits, hosts));
  if (outside !== undefined) throw outsideLimits(caller, outside);
}

/** Only what checks the limits itself, and what only reads, is open to a limited token. */
export const outsideLimits = ({ name, limits }: Caller, outside: string): RequestError =>
  new RequestError('forbidden', `the token "${name}" may deploy only ${textOf(limits!)}: ${outside}`);

const textOf = ({ models, selector }: TokenLimits): string =>
  `${models.length === 0 ? 'models' : models.join(', ')} to ${selector ? `hosts that match ${selector}` : 'any host'}`;

function modelProblem({ models }: TokenLimits, wanted: Deployed['models']): string | undefined {
  if (models.length === 0) return undefined;
  for (const name of wanted) {
    if (name == null) return 'files that a request describes itself are no model';
    if (!models.some((pattern) => matchesPattern(pattern, name))) return `the model "${name}" is not one of them`;
  }
  return undefined;
}

async function hostProblem(
  database: Database,
  { selector }: TokenLimits,
  wanted: Deployed['hosts'],
): Promise<string | undefined> {
  if (selector === null) return undefined;
  if (wanted.includes(null)) return 'the pool has no labels, so name hosts';
  const conditions = parseSelector(selector);
  const names = wanted.map((name) => hostKey(name!));
  const known = await hostsNamed(database, names);
  const matching = new Set(known.filter((host) => isSelected(conditions, selectableOf(host))).map(({ name }) => name));
  const outside = wanted.filter((_, index) => !matching.has(names[index]!));
  if (outside.length === 0) return undefined;
  const more = outside.length > MAX_NAMED ? ` and ${outside.length - MAX_NAMED} more` : '';
  return `${outside.slice(0, MAX_NAMED).join(', ')}${more} ${outside.length === 1 ? 'does' : 'do'} not match it`;
}
