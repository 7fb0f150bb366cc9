import { canonicalCid } from '#content/cid/canonical-cid';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { HostShare } from '#fetch/swarm/host-share';
import { PeerBook } from '#fetch/swarm/peer-book';
import type { Http } from '#http/pool';
import type { GrowingFiles } from '#serve/swarm/growing-files';
import { guarded, type Guards } from '#sources/make-sources';
import { PeerFile } from '#sources/peer/peer-file';
import { peerSource } from '#sources/peer/peer-source';
import { LocalNetwork } from './local-network.ts';
import type { SwarmConfig } from './swarm-config.ts';

/** Exchanges the files that this worker fetches with other hosts. */
export interface WorkerSwarm {
  /** Asks the peers for the file, and offers its verified leaves to them as they arrive. */
  join(job: DownloadJob, cid: string): JoinedSwarm;
  /** Looks for other hosts. @param served where the server of this worker listens; undefined: nowhere */
  start(served: { readonly port: number } | undefined): void;
  /** Takes what an event says of this host. */
  note(event: WorkerEvent): void;
  /** Safe twice and before start. */
  stop(): Promise<void>;
}

export interface JoinedSwarm {
  /** Stop it when the transfer ends. */
  readonly share: HostShare;
  /** Ends the offer of leaves; call it when the file is published, or the download has ended. */
  readonly withdraw: () => void;
}

export interface WorkerSwarmOptions extends Guards {
  readonly http: Http;
  readonly growing: GrowingFiles;
  /** As the server of this worker names itself. */
  readonly peerId: string;
  /** Label `site` of this host; undefined without one. */
  readonly site: string | undefined;
  readonly logger: Logger;
}

export function workerSwarm(
  { peers, siteKey, localNetwork }: SwarmConfig,
  { http, growing, peerId, site, logger, ...guards }: WorkerSwarmOptions,
): WorkerSwarm {
  const [book, guard] = [new PeerBook(), guarded(guards)];
  book.set('configured', peers);
  const onPeers = (urls: readonly string[]): void => book.set('mdns', urls);
  const network =
    localNetwork && siteKey !== undefined
      ? new LocalNetwork({ ...localNetwork, siteKey, onPeers, logger })
      : undefined;
  return {
    join(job, given) {
      const cid = canonicalCid(given);
      let withdraw = (): void => undefined;
      const share = new HostShare({
        ...{ book, peerId, logger },
        peerAt: (url, asked) => {
          const file = new PeerFile({ http, url, cid, siteKey }, () => performance.now());
          return { file, source: guard(peerSource(http, file, asked)) };
        },
        onBegin: (file) => {
          withdraw();
          withdraw = growing.offer({ ...file, model: job.model?.name ?? null });
        },
      });
      share.start();
      return { share, withdraw: () => withdraw() };
    },
    start(served) {
      if (served !== undefined) network?.start({ peerId, port: served.port, site: site ?? '', inventory: '' });
    },
    note(event) {
      if (event.type === 'host.report') network?.inventoryIs(event.inventoryDigest);
    },
    stop: async () => network?.stop(),
  };
}
