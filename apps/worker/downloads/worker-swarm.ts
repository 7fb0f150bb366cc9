import { canonicalCid } from '#content/cid/canonical-cid';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import { HostShare } from '#fetch/swarm/host-share';
import type { Http } from '#http/pool';
import type { GrowingFiles } from '#serve/swarm/growing-files';
import { PeerFile } from '#sources/peer/peer-file';
import { peerSource } from '#sources/peer/peer-source';
import type { WorkerConfig } from '../config.ts';

/** Exchanges the files that this worker fetches with other hosts. */
export interface WorkerSwarm {
  /** Asks the peers for the file, and offers its verified leaves to them as they arrive. */
  join(job: DownloadJob, cid: string): JoinedSwarm;
}

export interface JoinedSwarm {
  readonly sources: readonly Source[];
  /** Stop it when the transfer ends. */
  readonly share: HostShare;
  /** Ends the offer of leaves; call it when the file is published, or the download has ended. */
  readonly withdraw: () => void;
}

export interface WorkerSwarmOptions {
  readonly http: Http;
  readonly growing: GrowingFiles;
  /** As the server of this worker names itself. */
  readonly peerId: string;
  readonly logger: Logger;
}

export function workerSwarm(
  { peers: urls, siteKey }: Pick<WorkerConfig, 'peers' | 'siteKey'>,
  { http, growing, peerId, logger }: WorkerSwarmOptions,
): WorkerSwarm {
  return {
    join(job, given) {
      const cid = canonicalCid(given);
      const peers = urls.map((url) => new PeerFile({ http, url, cid, siteKey }, () => performance.now()));
      let withdraw = (): void => undefined;
      const share = new HostShare({
        ...{ peers, peerId, logger },
        onBegin: (file) => {
          withdraw();
          withdraw = growing.offer({ ...file, model: job.model?.name ?? null });
        },
      });
      share.start();
      const sources = peers.map((peer) => peerSource(http, peer, share.asked));
      return { sources, share, withdraw: () => withdraw() };
    },
  };
}
