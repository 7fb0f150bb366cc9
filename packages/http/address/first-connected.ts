import type { LookupAddress } from 'node:dns';
import type { Socket } from 'node:net';
import { messageOf } from '#core/error-facts';
import { HttpFailure } from '../http-error.ts';

/** Connection Attempt Delay of RFC 8305 section 5, milliseconds. */
const ATTEMPT_DELAY_MS = 250;
const MOST_REASONS = 3;

export interface ConnectAttempts {
  readonly addresses: readonly LookupAddress[];
  /** Begins to connect to one address. The socket has an `error` listener of its own. */
  readonly start: (address: LookupAddress) => Socket;
  /** For all attempts together; milliseconds. */
  readonly timeoutMs: number;
  /** Until the next attempt begins while none has ended; milliseconds; default that of RFC 8305. */
  readonly attemptDelayMs?: number;
  /** Begins the message of a failure, such as `no connection to host:443`. */
  readonly what: string;
}

/**
 * Connects to the first of several addresses that answers (RFC 8305, "Happy Eyeballs"). An attempt goes on while later ones begin:
 * Node gives up each address but the last after 250 ms, which a server far away never reaches.
 *
 * @throws HttpFailure `unreachable` when none answers in time; the only attempt's own error; the reason of the signal
 */
export function firstConnected(options: ConnectAttempts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const race = new ConnectRace(options, resolve, reject, signal);
    race.begin();
  });
}

class ConnectRace {
  readonly #options: ConnectAttempts;
  readonly #addresses: readonly LookupAddress[];
  readonly #resolve: (socket: Socket) => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #running = new Set<Socket>();
  readonly #errors: Error[] = [];
  readonly #onAbort = (): void => this.#fail(this.#signal.reason);
  #begun = 0;
  #next: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(
    options: ConnectAttempts,
    resolve: (socket: Socket) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#addresses = alternating(options.addresses);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
  }

  begin(): void {
    const { timeoutMs, what } = this.#options;
    if (this.#signal.aborted) return this.#onAbort();
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#deadline = setTimeout(
      () => this.#fail(new HttpFailure('unreachable', `${what} in ${timeoutMs} ms${this.#reasons(': ')}`)),
      timeoutMs,
    );
    this.#attempt();
  }

  #attempt(): void {
    clearTimeout(this.#next);
    const address = this.#addresses[this.#begun];
    if (address === undefined) return;
    this.#begun += 1;
    const socket = this.#options.start(address);
    this.#running.add(socket);
    socket.once('connect', () => this.#win(socket));
    socket.once('error', (error) => this.#lost(socket, error));
    socket.once('close', () => this.#lost(socket, new HttpFailure('unreachable', `${this.#options.what}: closed`)));
    if (this.#begun < this.#addresses.length) this.#next = setTimeout(() => this.#attempt(), this.#delayMs);
  }

  /** Every address has its turn in the first half of the time. */
  get #delayMs(): number {
    const { attemptDelayMs = ATTEMPT_DELAY_MS, timeoutMs } = this.#options;
    return Math.min(attemptDelayMs, timeoutMs / 2 / this.#addresses.length);
  }

  #lost(socket: Socket, error: Error): void {
    if (!this.#running.delete(socket)) return;
    this.#errors.push(error);
    if (this.#begun < this.#addresses.length) return this.#attempt();
    if (this.#running.size === 0) this.#fail(this.#failure());
  }

  #win(socket: Socket): void {
    if (!this.#running.delete(socket)) return;
    this.#end();
    this.#resolve(socket);
  }

  #fail(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    clearTimeout(this.#next);
    clearTimeout(this.#deadline);
    this.#signal.removeEventListener('abort', this.#onAbort);
    const losers = [...this.#running];
    this.#running.clear();
    for (const socket of losers) socket.destroy();
  }

  #failure(): Error {
    if (this.#errors.length === 1) return this.#errors[0]!;
    return new HttpFailure('unreachable', this.#reasons(''), { cause: new AggregateError(this.#errors) });
  }

  #reasons(before: string): string {
    const reasons = [...new Set(this.#errors.map(messageOf))];
    const more = reasons.length > MOST_REASONS ? `; and ${reasons.length - MOST_REASONS} more` : '';
    return reasons.length === 0 ? '' : `${before}${reasons.slice(0, MOST_REASONS).join('; ')}${more}`;
  }
}

/** The families take turns, beginning with that of the first address (RFC 8305 section 4). */
function alternating(addresses: readonly LookupAddress[]): readonly LookupAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const turns = Math.max(first.length, others.length);
  return Array.from({ length: turns }, (_, at) => [first[at], others[at]])
    .flat()
    .filter((address) => address !== undefined);
}
