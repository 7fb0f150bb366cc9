import { listHosts } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { RequestError } from '../server/request-error.ts';
import { nearestNames } from './nearest-names.ts';

const MAX_HOSTS = 100_000;

/** The answer for a host that was never heard of: it names those that are spelled most alike. */
export async function unknownHost(database: Database, name: string): Promise<RequestError> {
  const names = (await listHosts(database, MAX_HOSTS)).map((host) => host.name);
  const near = nearestNames(name, names);
  const hint = near.length === 0 ? 'GET /api/hosts lists them' : `did you mean ${near.join(', ')}?`;
  return new RequestError('unknown-host', `no host "${name}" was ever heard of; ${hint}`);
}
