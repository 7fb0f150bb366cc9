import type { SwarmClient } from '#client/swarm-client';
import { canonicalCid } from '#content/cid/canonical-cid';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { messageOf } from '#core/error-facts';
import type { Logger } from '#core/logger';
import { PeerBook } from '#fetch/swarm/peer-book';
import type { Http } from '#http/pool';
import type { GrowingFiles } from '#serve/swarm/growing-files';
import { guarded, type Guards } from '#sources/make-sources';
import type { Store } from '#store/open-store';
import { adviseOnPeers } from './configured-peers.ts';
import { LocalNetwork } from './local-network.ts';
import { isTracked, SharedDownload } from './shared-download.ts';
import { SharedPauses } from './shared-pauses.ts';
import type { SwarmConfig } from './swarm-config.ts';
import { TrackerClient, type UntoldFetch } from './tracker-client.ts';
import { urlsOfServer, type ServerAddress } from './urls-of-server.ts';

/** Exchanges the files that this worker fetches with other hosts. */
export interface WorkerSwarm {
  /** Asks the peers for the file, and offers its verified leaves to them as they arrive. */
  join(job: DownloadJob, cid: string): SharedDownload;
  /** A file is fetched that other hosts do not learn of. @returns undefined for a worker that is not enrolled */
  fetches(): UntoldFetch | undefined;
  /** Looks for other hosts. @param served where the server of this worker listens; undefined: nowhere */
  start(served: ServerAddress | undefined): void;
  /** Takes what an event says of this host. */
  note(event: WorkerEvent): void;
  /** Takes an answer of the server of this host. */
  gave(served: { readonly kind: string; readonly sentBytes: number }): void;
  /** Root CIDs that the holder of a token of the API may fetch from this host; undefined for a token that is none. */
  readonly allowedBy: ((peerToken: string) => readonly string[] | undefined) | undefined;
  /** Safe twice and before start. */
  stop(): Promise<void>;
}

export interface WorkerSwarmOptions extends Guards {
  readonly http: Http;
  readonly growing: GrowingFiles;
  /** As the server of this worker names itself. */
  readonly peerId: string;
  /** Of this start of the worker. */
  readonly bootId: string;
  /** Label `site` of this host; undefined without one. */
  readonly site: string | undefined;
  readonly store: Pick<Store, 'contentOf' | 'inventory'>;
  /** @returns the API as this host sees it */
  readonly clientOf: (tracker: NonNullable<SwarmConfig['tracker']>) => SwarmClient;
  /** How fast this host may fetch from outside of its site; bytes per second, undefined: no limit. */
  readonly onSiteLimit: (bytesPerSecond: number | undefined) => void;
  readonly logger: Logger;
}

export function workerSwarm(config: SwarmConfig, options: WorkerSwarmOptions): WorkerSwarm {
  const { http, growing, peerId, site, bootId, store, clientOf, logger, gates, health, onFirstByte } = options;
  const [book, guard] = [new PeerBook(), guarded({ gates, health, onFirstByte })];
  book.set('configured', config.peers);
  const onPeerRefused = adviseOnPeers(config.peers, logger);
  const network = networkOf(config, book, logger);
  const tracker =
    config.tracker &&
    new TrackerClient({
      ...{ client: clientOf(config.tracker), host: config.tracker.host, boot: bootId, logger },
      onLimit: options.onSiteLimit,
      pauses: new SharedPauses(health, config.tracker.apiUrl, logger),
    });
  const isHere = async (cid: string): Promise<boolean> => (await store.contentOf({ cid, digests: {} })) !== undefined;
  const checkSeeds = async (): Promise<void> => {
    for (const seed of tracker?.seeds ?? []) if (!(await isHere(seed.cid))) seed.end(false);
  };
  const orWarn = (work: Promise<void>, what: string): void =>
    void work.catch((error: unknown) => logger.warn({ reason: messageOf(error) }, what));
  return {
    join: (job, given) =>
      new SharedDownload(job, canonicalCid(given), {
        ...{ siteKey: config.siteKey, book, tracker, http, growing, guard, peerId, isHere, onPeerRefused, logger },
      }),
    fetches: () => tracker?.fetches(),
    start(served) {
      if (served !== undefined) network?.start({ peerId, port: served.port, site: site ?? '', inventory: '' });
      if (tracker === undefined) return;
      tracker.start(served === undefined ? [] : urlsOfServer(served, config.tracker!.apiUrl));
      orWarn(seedAll(tracker, store), 'other hosts are not told what the store has');
    },
    note(event) {
      if (event.type === 'host.report') network?.inventoryIs(event.inventoryDigest);
      if (event.type === 'host.notice') orWarn(checkSeeds(), 'other hosts are told of files that may be gone');
    },
    gave({ kind, sentBytes }) {
      if (kind === 'swarm') tracker?.rates.gave(sentBytes);
    },
    allowedBy: tracker?.allowedBy,
    stop: async () => void (await Promise.all([network?.stop(), tracker?.stop()])),
  };
}

function networkOf({ siteKey, localNetwork }: SwarmConfig, book: PeerBook, logger: Logger): LocalNetwork | undefined {
  if (localNetwork === undefined || siteKey === undefined) return undefined;
  return new LocalNetwork({ ...localNetwork, siteKey, onPeers: (urls) => book.set('mdns', urls), logger });
}

/** Announces what the store has already. */
async function seedAll(tracker: TrackerClient, store: Pick<Store, 'inventory'>): Promise<void> {
  const { entries } = await store.inventory();
  for (const { cid, sizeBytes, state } of entries) {
    const root = cid === null ? undefined : canonicalCid(cid);
    if (root !== undefined && state === 'valid' && isTracked(root, sizeBytes)) tracker.seed(root, sizeBytes);
  }
}
