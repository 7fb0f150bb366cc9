import type { DownloadJob } from '#contracts/worker/download-job';
import type { ViewRequest } from '#store/models/model-views';

/** Where applications of this host find the file; undefined for a file that belongs to no model. */
export function viewOf({ model, file }: DownloadJob): ViewRequest | undefined {
  if (model === undefined) return undefined;
  const hub = file.sources.find((source) => source.kind === 'huggingface');
  return {
    model: model.name,
    type: model.type,
    version: model.version,
    path: file.path,
    versionFileCount: model.fileCount,
    isHeld: model.held,
    hfRevision: hub?.revision,
    ipfsHash: model.cid,
    sources: file.sources,
  };
}
