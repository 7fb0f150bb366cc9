import { join } from 'node:path';
import { silentLogger, type Logger } from '#core/logger';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import type { Store } from '#store/open-store';
import { hubMirror, type HubMirror } from './hub-mirror.ts';
import type { MirrorFile } from './mirror-files.ts';
import { pullCids, type PullCids } from './pull-cids.ts';
import { pullFiles, type PullFiles, type PullGuards, type Upstream } from './pull-files.ts';

/** What is asked for and not here is fetched, verified, published, and sent while it arrives. */
export interface PullThrough {
  /** What may be fetched, as it was configured. */
  readonly allow: readonly string[];
  readonly hub: HubMirror;
  readonly files: PullFiles;
  readonly cids: PullCids;
  stop(): void;
}

export interface PullThroughOptions {
  readonly store: Store;
  /** Repositories that may be fetched, as patterns such as `onnx-community/*`, and CIDs; none: nothing is fetched. */
  readonly allow: readonly string[];
  readonly upstream: Upstream;
  /** Those of a process that fetches from the same servers itself; default: own ones. */
  readonly guards?: PullGuards | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Fetches nothing by itself. Content that no model of this host has is evicted like any other, the least recently used first.
 *
 * @returns undefined where nothing may be fetched
 */
export function pullThrough({
  store,
  allow,
  upstream,
  guards = { health: new SourceHealth(), gates: new OriginGates() },
  logger = silentLogger,
}: PullThroughOptions): PullThrough | undefined {
  if (allow.length === 0) return undefined;
  const files = pullFiles(store, upstream, guards, logger);
  const folder = join(store.paths.home, 'hub');
  const hub = hubMirror({
    allow,
    upstream,
    health: guards.health,
    logger,
    folder,
    isHere: (file) => isHere(store, file),
  });
  const cids = pullCids({ store, files, allow, logger });
  return { allow, hub, files, cids, stop: () => files.stop() };
}

async function isHere(store: Store, { sha256, git }: MirrorFile): Promise<boolean> {
  const content = sha256 ?? (await store.contentOf({ digests: { git } }));
  return content !== undefined && (await store.look(content)) !== undefined;
}
