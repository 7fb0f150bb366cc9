import type { Database } from '#database/sql/connect';
import { manifestOf, modelByName } from '#database/models/model-queries';
import type { StoredManifest } from '#database/models/model-queries';
import { pinnedVersions } from '#database/models/pin-queries';
import { RequestError } from '../server/errors/request-error.ts';

/**
 * Finds the version a request means: the named one, else the pinned one, else the newest.
 *
 * @throws RequestError `unknown-model` or `unknown-version`
 */
export async function findVersion(database: Database, model: string, version?: string): Promise<StoredManifest> {
  const wanted = version ?? (await pinnedVersions(database, model)).get(model);
  const stored = await manifestOf(database, model, wanted);
  if (stored !== undefined) return stored;
  if ((await modelByName(database, model)) === undefined)
    throw new RequestError(
      'unknown-model',
      `there is no model "${model}"; GET /api/models lists them, POST /api/models publishes one`,
    );
  throw new RequestError('unknown-version', `the model "${model}" has no version "${version ?? wanted}"`);
}
