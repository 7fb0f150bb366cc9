import type { FieldError } from '#contracts/http/problem';
import { shownHostNames, unknownHosts } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { RequestError } from '../server/errors/request-error.ts';
import { nearestNames } from './nearest-names.ts';

/** More unknown hosts than this are counted, not listed. */
const MAX_LISTED = 20;

/** The answer for a host that was never heard of: it names those that are spelled most alike. */
export async function unknownHost(database: Database, name: string): Promise<RequestError> {
  return new RequestError('unknown-host', sentenceOn(name, await shownHostNames(database)));
}

/**
 * Refuses a request for hosts that no worker has reported from: most are mistyped, and their files would wait for ever.
 *
 * @param pointerTo the place of a name in the request, by its index
 * @throws RequestError that names each of them with the names that are spelled most alike
 */
export async function refuseUnknownHosts(
  database: Database,
  names: readonly string[],
  pointerTo: (index: number) => string,
): Promise<void> {
  const unknown = await unknownHosts(database, names);
  const [first] = unknown;
  if (first === undefined) return;
  const known = await shownHostNames(database);
  const errors = unknown.slice(0, MAX_LISTED).map((name): FieldError => {
    const detail = sentenceOn(name, known);
    return { pointer: pointerTo(names.indexOf(name)), detail, value: name };
  });
  const more = unknown.length > 1 ? ` (and ${unknown.length - 1} more hosts)` : '';
  const otherwise = 'with `allowUnknown: true` files wait for a host that reports later';
  throw new RequestError('unknown-host', `${sentenceOn(first, known)}${more}; ${otherwise}`, { errors });
}

function sentenceOn(name: string, known: readonly string[]): string {
  const near = nearestNames(name, known);
  const hint = near.length === 0 ? 'GET /api/hosts lists them' : `did you mean ${near.join(', ')}?`;
  return `no host "${name}" was ever heard of; ${hint}`;
}
