import { HttpFailure } from '../http-error.ts';
import { tickEvery } from './shared-ticks.ts';

/** Bounds of one response; there is no total timeout, because a large file may take hours. */
export interface ProgressTimeouts {
  /** Until the first byte of the answer. */
  readonly headersMs: number;
  /** Without any byte. */
  readonly stallMs: number;
  /** Fewer bytes per second than this, over `lowSpeedMs`, is a trickle; 0 switches the rule off. */
  readonly lowSpeedBytesPerSecond: number;
  readonly lowSpeedMs: number;
}

/**
 * Watches one response. Time is counted in ticks, each at most twice its plan, so that a blocked event loop or a
 * suspended machine is not blamed on the source; time in which the consumer holds the transport does not count.
 */
export class ProgressWatch {
  readonly #timeouts: ProgressTimeouts;
  readonly #onTimeout: (failure: HttpFailure) => void;
  readonly #tickMs: number;
  #endTicks: (() => void) | undefined;
  #tickedAtMs = 0;
  #waitingForHead = true;
  #held = false;
  #quietMs = 0;
  #newBytes = 0;
  #windowMs = 0;
  #windowBytes = 0;

  constructor(timeouts: ProgressTimeouts, onTimeout: (failure: HttpFailure) => void) {
    this.#timeouts = timeouts;
    this.#onTimeout = onTimeout;
    const shortest = Math.min(timeouts.headersMs, timeouts.stallMs, timeouts.lowSpeedMs);
    this.#tickMs = Math.min(1000, Math.max(5, shortest / 10));
  }

  /** The request was sent. */
  start(): void {
    this.#tickedAtMs = performance.now();
    this.#endTicks = tickEvery(this.#tickMs, () => this.#tick());
  }

  head(): void {
    this.#waitingForHead = false;
    this.#quietMs = 0;
  }

  bytes(count: number): void {
    this.#newBytes += count;
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#quietMs = 0;
  }

  stop(): void {
    this.#endTicks?.();
  }

  #tick(): void {
    const now = performance.now();
    const passedMs = Math.min(now - this.#tickedAtMs, 2 * this.#tickMs);
    this.#tickedAtMs = now;
    if (this.#held) return;
    this.#quietMs = this.#newBytes > 0 ? 0 : this.#quietMs + passedMs;
    this.#windowMs += passedMs;
    this.#windowBytes += this.#newBytes;
    this.#newBytes = 0;
    const failure = this.#waitingForHead ? this.#lateHead() : (this.#stalled() ?? this.#tooSlow());
    if (failure) this.#onTimeout(failure);
  }

  #lateHead(): HttpFailure | undefined {
    const { headersMs } = this.#timeouts;
    this.#windowMs = 0;
    return this.#quietMs > headersMs ? new HttpFailure('timed-out', `no answer in ${headersMs} ms`) : undefined;
  }

  #stalled(): HttpFailure | undefined {
    const { stallMs } = this.#timeouts;
    return this.#quietMs > stallMs ? new HttpFailure('timed-out', `no byte for ${stallMs} ms`) : undefined;
  }

  #tooSlow(): HttpFailure | undefined {
    const { lowSpeedBytesPerSecond, lowSpeedMs } = this.#timeouts;
    if (this.#windowMs < lowSpeedMs) return undefined;
    const bytesPerSecond = (this.#windowBytes * 1000) / this.#windowMs;
    this.#windowMs = 0;
    this.#windowBytes = 0;
    if (bytesPerSecond >= lowSpeedBytesPerSecond) return undefined;
    return new HttpFailure('too-slow', `${Math.round(bytesPerSecond)} bytes per second over ${lowSpeedMs} ms`);
  }
}
