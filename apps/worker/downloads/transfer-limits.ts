import type { HostLimits } from '#contracts/worker/worker-events';
import { createThrottle, type ByteLimit, type Throttle } from '#transfer/report/throttle';
import type { WorkerConfig } from '../config.ts';

/** Limits of bytes per second over all downloads of a worker: its own, and those of the sites it fetches from. */
export class TransferLimits {
  readonly #configured: Pick<WorkerConfig, 'limitBytesPerSecond' | 'sourceLimits'>;
  readonly #worker: Throttle;
  readonly #outside = createThrottle(undefined);
  /** By host; holds only hosts with a limit. */
  readonly #sources = new Map<string, Throttle>();

  constructor(configured: Pick<WorkerConfig, 'limitBytesPerSecond' | 'sourceLimits'>) {
    this.#configured = configured;
    this.#worker = createThrottle(configured.limitBytesPerSecond);
    for (const [host, rate] of configured.sourceLimits) this.#sources.set(host, createThrottle(rate));
  }

  /** Of what comes from outside of the site of this host. */
  get outside(): ByteLimit {
    return this.#outside;
  }

  /** @param bytesPerSecond the part of this host in the limit of its site; undefined: no limit */
  setOutside(bytesPerSecond: number | undefined): void {
    this.#outside.setRate(bytesPerSecond);
  }

  get worker(): ByteLimit {
    return this.#worker;
  }

  /**
   * The limit of a site as it is at every moment: `gateway.example`, or `gateway.example:8080`, which goes before the former.
   *
   * @param origin of a source; what is no URL, such as a path of this machine, is no site
   */
  ofSource(origin: string): readonly ByteLimit[] {
    if (!URL.canParse(origin)) return [];
    const { host, hostname } = new URL(origin);
    const throttle = (): Throttle | undefined => this.#sources.get(host) ?? this.#sources.get(hostname);
    return [{ take: (bytes, signal) => throttle()?.take(bytes, signal) }];
  }

  /** Applies the limits that were set over the API, also to running transfers; the others are as configured. */
  change({ workerBytesPerSecond, sources }: HostLimits): void {
    const { limitBytesPerSecond, sourceLimits } = this.#configured;
    this.#worker.setRate(workerBytesPerSecond ?? limitBytesPerSecond);
    const wanted = new Map([...sourceLimits, ...Object.entries(sources)]);
    for (const [host, throttle] of this.#sources) {
      if (wanted.has(host)) continue;
      throttle.setRate(undefined);
      this.#sources.delete(host);
    }
    for (const [host, rate] of wanted) {
      const throttle = this.#sources.get(host);
      if (throttle === undefined) this.#sources.set(host, createThrottle(rate));
      else throttle.setRate(rate);
    }
  }
}
