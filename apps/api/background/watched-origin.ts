import type { WatchedOrigin } from '#contracts/worker/check-version-job';
import type { SourceInput } from '#contracts/file-spec';
import type { Manifest } from '#contracts/manifest';

type HubSource = Extract<SourceInput, { kind: 'huggingface' }>;

const COMMIT = /^[0-9a-f]{40}$/;
const DEFAULT_REVISION = 'main';

/** Where newer versions of a manifest would appear; undefined when there is nothing to ask. */
export function watchedOrigin(manifest: Manifest): WatchedOrigin | undefined {
  const huggingface = watchedHub(manifest);
  const name = manifest.watch?.ipns;
  const ipfs = name === undefined ? undefined : { name, cid: manifest.cid };
  return huggingface === undefined && ipfs === undefined ? undefined : { huggingface, ipfs };
}

/** A source that names a branch is watched only if the manifest says so: the commit of its publication is not known. */
function watchedHub({ watch, sources = [], files }: Manifest): WatchedOrigin['huggingface'] {
  const hubs = [...sources, ...files.flatMap((file) => file.sources ?? [])].filter(
    (source): source is HubSource => source.kind === 'huggingface',
  );
  const pinned = hubs.find(({ revision }) => COMMIT.test(revision));
  const hub = pinned ?? (watch?.huggingface === undefined ? undefined : hubs[0]);
  if (hub === undefined) return undefined;
  const revision = watch?.huggingface?.revision ?? DEFAULT_REVISION;
  return { repo: hub.repo, repoType: hub.repoType, revision, commit: pinned?.revision };
}
