import { jest } from '@jest/globals';
import type { AnnounceInput, Announced, AnsweredFile, SwarmLease } from '#contracts/swarm';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import type { HeldFile } from '#transfer/report/transfer-options';
import type { TrackedFile } from '../../../../apps/worker/swarm/tracked-file.ts';
import { TrackerClient } from '../../../../apps/worker/swarm/tracker-client.ts';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

export const bytes = bytesOf(8 * MIB, 'tracked');
export const { cid, table } = dagOf(bytes);
export const LEAVES_OF_A_PIECE = 4;

export const lease = (piece: number, from: SwarmLease['from'] = 'origin'): SwarmLease => ({
  ...{ id: `${from}-${piece}`, piece, from, endsInMs: 10_000 },
});
export const peerAt = (host: string, site = 'eu-1') => ({ host, urls: [`http://${host}:7430`], site, have: 'AA' });

export const answerOf = (file: Partial<AnsweredFile>, more: Partial<Announced> = {}): Announced => ({
  ...{ intervalMs: 2000, site: 'eu-1', token: 'token', tokenEndsInMs: 60_000 },
  files: [{ cid, leases: [], peers: [peerAt('host-b')], leave: [], wait: null, ...file }],
  ...more,
});

/** A host that tells a tracker of one file. It needs the fake timers of jest. */
export class TellingHost {
  readonly announced: AnnounceInput[] = [];
  readonly limits: (number | undefined)[] = [];
  readonly tracker: TrackerClient;
  answer = (): Announced => answerOf({});
  originPauseMs: number | undefined = 0;
  originBytes = 0;
  diskWaitMs = 0;
  readonly held: HeldFile;
  readonly #done = new Set<number>();
  readonly #listeners = new Set<() => void>();

  constructor() {
    const client = {
      announce: async (body: AnnounceInput) => {
        this.announced.push(body);
        return this.answer();
      },
      getSwarmKey: async () => ({ publicKey: 'key' }),
    };
    const onLimit = (limit: number | undefined) => void this.limits.push(limit);
    this.tracker = new TrackerClient({ client, host: 'host-a', boot: 'boot-1', onLimit, logger: silentLogger });
    this.tracker.start(['http://10.0.0.1:7430']);
    this.held = {
      ...{ path: '/none', table, isDone: (leaf) => this.#done.has(leaf), bytesFrom: () => 0, isRefused: () => false },
      begunBytes: () => 0,
      originPauseMs: () => this.originPauseMs,
      originBytes: () => this.originBytes,
      diskWaitMs: () => this.diskWaitMs,
      onMore: (listener) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
    };
  }

  track(onAnswer: (urls: readonly string[]) => void = () => undefined): TrackedFile {
    const file = this.tracker.track({ cid, named: cid, sizeBytes: bytes.length, onAnswer });
    file.begin(this.held);
    return file;
  }

  /** A leaf is on the disk. */
  arrive(leaf: number): void {
    this.#done.add(leaf);
    for (const listener of this.#listeners) listener();
  }

  complete(piece: number): void {
    for (let leaf = 0; leaf < LEAVES_OF_A_PIECE; leaf += 1) this.arrive(LEAVES_OF_A_PIECE * piece + leaf);
  }
}

export const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
