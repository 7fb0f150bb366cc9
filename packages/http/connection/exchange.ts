import type { Dispatcher } from 'undici';
import type { Connection } from './connection.ts';
import { HttpFailure } from '../http-error.ts';
import type { ProgressTimeouts } from './progress-watch.ts';
import { ProgressWatch } from './progress-watch.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Origin-form, or absolute-form through a proxy. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export type ResponseHeaders = Readonly<Record<string, string>>;

export interface ExchangeConsumer {
  /** @returns whether the body is wanted. Throwing ends the exchange with that error. */
  head(status: number, headers: ResponseHeaders): boolean;
  /** The chunk stays as it is until the returned promise settles; nothing more arrives before. */
  data(chunk: Uint8Array): void | Promise<void>;
}

/** An unwanted body up to this length is read and forgotten, so that the connection can be used again. */
const DRAIN_BYTES = 64 * 1024;

/** A server that counts connections refuses one too many like this, and counts it for as long as it is open. */
const REFUSED = new Set([403, 421, 429, 503, 508, 509]);

/** Where an exchange failed: nothing of the answer was seen before `head`. */
export interface ExchangeFailure {
  readonly error: unknown;
  readonly before: 'sent' | 'head' | 'end';
  /** The consumer threw it: it passes unchanged. */
  readonly byConsumer: boolean;
}

/**
 * Sends one request on a connection and hands the answer over as it arrives.
 *
 * @returns undefined when the answer ended as it promised, otherwise what went wrong; the connection is dropped then
 */
export function exchange(
  connection: Connection,
  request: ExchangeRequest,
  consumer: ExchangeConsumer,
  timeouts: ProgressTimeouts,
  signal: AbortSignal,
): Promise<ExchangeFailure | undefined> {
  return new Promise((resolve) => {
    const handler = new ExchangeHandler(connection, consumer, timeouts, signal, resolve);
    handler.begin(request);
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #connection: Connection;
  readonly #consumer: ExchangeConsumer;
  readonly #signal: AbortSignal;
  readonly #resolve: (failure: ExchangeFailure | undefined) => void;
  readonly #watch: ProgressWatch;
  readonly #onAbort = (): void =>
    this.#fail(new HttpFailure('aborted', 'stopped by us', { cause: this.#signal.reason }));
  #before: ExchangeFailure['before'] = 'sent';
  #wanted = true;
  #drained = 0;
  #settled = false;
  #isRefused = false;

  constructor(
    connection: Connection,
    consumer: ExchangeConsumer,
    timeouts: ProgressTimeouts,
    signal: AbortSignal,
    resolve: (failure: ExchangeFailure | undefined) => void,
  ) {
    this.#connection = connection;
    this.#consumer = consumer;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#watch = new ProgressWatch(timeouts, (failure) => this.#fail(failure));
  }

  begin(request: ExchangeRequest): void {
    if (this.#signal.aborted) return this.#onAbort();
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    try {
      const { method, path, headers } = request;
      this.#connection.client.dispatch({ method, path, headers: { ...headers }, body: request.body ?? null }, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRequestStart(): void {
    this.#before = 'head';
    this.#connection.head.expect();
    this.#watch.start();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#settled || status < 200) return;
    this.#before = 'end';
    this.#watch.head();
    this.#isRefused = REFUSED.has(status);
    const flattened = flat(headers);
    this.#connection.buffers.bodyBegins(lengthOf(flattened));
    try {
      this.#wanted = this.#consumer.head(status, flattened);
    } catch (error) {
      this.#fail(error, true);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // A parser that is resumed within a body until close reports an empty piece.
    if (this.#settled || chunk.length === 0) return;
    this.#watch.bytes(chunk.length);
    const { buffers } = this.#connection;
    buffers.bodyPassed(chunk.length);
    if (!this.#wanted) return this.#drain(chunk.length);
    buffers.holding = true;
    try {
      const held = this.#consumer.data(chunk);
      if (held === undefined) buffers.holding = false;
      else this.#holdUntil(held, controller);
    } catch (error) {
      this.#fail(error, true);
    }
  }

  onResponseEnd(): void {
    this.#settle(undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #holdUntil(held: Promise<void>, controller: Dispatcher.DispatchController): void {
    controller.pause();
    this.#watch.hold();
    held.then(
      () => {
        if (this.#settled) return;
        this.#watch.release();
        this.#connection.release(() => controller.resume());
      },
      (error: unknown) => this.#fail(error, true),
    );
  }

  #drain(count: number): void {
    this.#drained += count;
    if (this.#drained <= DRAIN_BYTES) return;
    this.#settle(undefined);
    this.#connection.destroy();
  }

  #fail(error: unknown, byConsumer = false): void {
    if (this.#settled) return;
    this.#settle({ error, before: this.#before, byConsumer });
    this.#connection.destroy();
  }

  #settle(failure: ExchangeFailure | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#watch.stop();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#connection.buffers.bodyEnds();
    if (this.#isRefused) this.#connection.destroy();
    this.#resolve(failure);
  }
}

const flat = (headers: Record<string, string | string[] | undefined>): ResponseHeaders =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      // Equal copies of one header say nothing more than one.
      Array.isArray(value) ? [...new Set(value)].join(', ') : (value ?? ''),
    ]),
  );

/** @returns undefined for a body in chunks, and for one that lasts until close */
function lengthOf({ 'content-length': length }: ResponseHeaders): number | undefined {
  return length === undefined ? undefined : Number(length);
}
