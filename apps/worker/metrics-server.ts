import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReportedSource, WorkerEvent } from '#contracts/worker/worker-events';
import { LAYER_NAMES, nameOfLayer } from '#core/layer';
import type { Logger } from '#core/logger';
import type { Source } from '#core/source';
import type { ServedAnswer } from '#metrics/serve-metrics';
import { createWorkerMetrics } from '#metrics/worker-metrics';

export interface MetricsServerOptions {
  /** Where `/metrics` is served; undefined: nowhere. 0 takes a free port. */
  readonly port: number | undefined;
  readonly bind: string;
  readonly workerVersion: string;
  /** What is known of the sources now. */
  readonly readSources: () => ReportedSource[];
  readonly logger: Logger;
}

/** Counts what a worker reports, and serves it to Prometheus at `/metrics`. */
export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #metrics: ReturnType<typeof createWorkerMetrics>;
  #server: Server | undefined;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#metrics = createWorkerMetrics(options.workerVersion);
  }

  /** The event is on its way to the API. */
  count(event: WorkerEvent): void {
    if (event.type === 'try.finished') this.#metrics.tried({ ...event, bytes: event.committedBytes ?? event.bytes });
    else if (event.type === 'host.report') this.#metrics.stored(event.storeBytes);
    else if (event.type === 'host.notice' && event.notice === 'evicted') this.#metrics.evicted();
  }

  /** A source that was asked `ms` ago sends. */
  readonly firstByte = ({ layer }: Pick<Source, 'layer'>, ms: number): void =>
    this.#metrics.firstByte(nameOfLayer(layer), ms);

  /** A client of the store had its answer. */
  readonly served = (answer: ServedAnswer): void => this.#metrics.served(answer);

  /** @returns everything that this worker counts, in the format of Prometheus */
  readonly expose = (): Promise<string> => this.#metrics.expose(this.#breakersOpen());

  /** Redis has everything that was published before. */
  contacted(): void {
    this.#metrics.contacted(Date.now());
  }

  /** @returns the port; undefined when nothing is served @throws Error when the port is taken */
  async start(): Promise<number | undefined> {
    const { port, bind, logger } = this.#options;
    if (port === undefined || this.#server !== undefined) return undefined;
    const server = createServer((request, response) => {
      if (request.method !== 'GET' || request.url !== '/metrics') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics is all that is here\n');
        return;
      }
      this.expose().then(
        (text) => response.writeHead(200, { 'content-type': this.#metrics.contentType }).end(text),
        (err: unknown) => {
          logger.error({ err }, 'metrics could not be written');
          response.writeHead(500).end();
        },
      );
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, bind, resolve);
    });
    const { port: taken } = server.address() as AddressInfo;
    logger.info({ bind, port: taken }, 'metrics are served at /metrics');
    return taken;
  }

  /** Safe twice and before start. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #breakersOpen(): Record<string, number> {
    const counts: Record<string, number> = Object.fromEntries(LAYER_NAMES.map((layer) => [layer, 0]));
    for (const { layer, breaker } of this.#options.readSources()) if (breaker === 'open') counts[layer]! += 1;
    return counts;
  }
}
