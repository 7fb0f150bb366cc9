import type { Manifest } from '#contracts/manifest';
import { ConflictError, manifestOf, putManifest } from '#database/models/model-queries';
import type { StoredManifest } from '#database/models/model-queries';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';

export interface PublishedVersion {
  /** False when this very content was published before. */
  readonly created: boolean;
  readonly stored: StoredManifest;
}

/**
 * Publishes one version of a model; it becomes the current one.
 *
 * @throws RequestError `version-exists` when the version has other content: versions never change
 */
export async function publishVersion(
  { database, now }: Pick<Dependencies, 'database' | 'now'>,
  manifest: Manifest,
): Promise<PublishedVersion> {
  try {
    const { created } = await putManifest(database, manifest, now());
    const stored = await manifestOf(database, manifest.name, manifest.version);
    if (stored === undefined) throw new Error(`version ${manifest.version} of ${manifest.name} vanished`);
    return { created, stored };
  } catch (error) {
    if (error instanceof ConflictError) throw new RequestError('version-exists', error.message, { cause: error });
    throw error;
  }
}
