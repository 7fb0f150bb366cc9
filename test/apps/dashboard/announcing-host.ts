import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '#client/client';
import type { AnnounceInput } from '#contracts/swarm';
import { PieceMap } from '#core/swarm/piece-map';
import { makeHostKeys } from '#queue/events/batch-signature';
import type { System } from '../../helpers/system.ts';

const EVERY_MS = 1000;

interface SharedFile {
  readonly cid: string;
  readonly sizeBytes: number;
}

/** An enrolled host that announces to the API as a worker does, and fetches nothing. */
export class AnnouncingHost {
  readonly #name: string;
  readonly #client: ReturnType<typeof createClient>;

  private constructor(name: string, client: ReturnType<typeof createClient>) {
    this.#name = name;
    this.#client = client;
  }

  static async enrol({ client, apiUrl }: Pick<System, 'client' | 'apiUrl'>, name: string): Promise<AnnouncingHost> {
    const { token } = await client.createEnrolmentToken({ host: name });
    const body = { host: name, publicKey: makeHostKeys().publicKey };
    const { workerToken } = await createClient({ baseUrl: apiUrl, token }).enrolWorker(body);
    return new AnnouncingHost(name, createClient({ baseUrl: apiUrl, token: workerToken }));
  }

  /** Announces again and again: a host that fetches and falls silent is forgotten after seconds. @returns ends it */
  keepAnnouncing(file: SharedFile, pieces: number): () => Promise<void> {
    const stopping = new AbortController();
    const announced = (async () => {
      while (!stopping.signal.aborted) {
        await this.announce(file, pieces);
        await pause(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    })();
    return async () => {
      stopping.abort();
      await announced;
    };
  }

  /** Says that it has the first pieces of the file, and takes leases on others. */
  async announce({ cid, sizeBytes }: SharedFile, pieces: number): Promise<void> {
    const map = new PieceMap(sizeBytes);
    for (let piece = 0; piece < Math.min(pieces, map.count); piece += 1) map.add(piece);
    const file: AnnounceInput['files'][number] = {
      ...{ cid, sizeBytes, state: map.isComplete ? 'seeding' : 'leeching', have: map.toString(), want: 2 },
    };
    const rate = { downBytesPerSecond: 1_000_000, upBytesPerSecond: 500_000 };
    await this.#client.announce({
      host: this.#name,
      boot: '1',
      urls: [`http://${this.#name}:7430`],
      rate,
      files: [file],
    });
  }
}
