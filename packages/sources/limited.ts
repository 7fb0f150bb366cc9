import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { MINUTE_MS } from '#core/units';

export interface Limits {
  /** Reads at once. */
  readonly connections: number;
  /** Undefined for no limit. */
  readonly requestsPerMinute?: number | undefined;
}

interface Gate {
  busy: number;
  readonly waiting: (() => void)[];
  tokens: number;
  filledAtMs: number;
}

/** Counts of every origin, shared by all transfers of a process. */
export class OriginGates {
  readonly #gates = new Map<string, Gate>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Waits for a place and a turn. @returns gives the place back */
  async enter(origin: string, limits: Limits, signal: AbortSignal): Promise<() => void> {
    // Many reads of one transfer share its signal.
    setMaxListeners(0, signal);
    const gate = this.#gateOf(origin, limits);
    if (gate.busy >= limits.connections) await place(gate, signal);
    else gate.busy += 1;
    const leave = (): void => {
      const next = gate.waiting.shift();
      if (next) next();
      else gate.busy -= 1;
    };
    try {
      await this.#turn(gate, limits.requestsPerMinute, signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** A bucket of one minute's requests that fills evenly. */
  async #turn(gate: Gate, perMinute: number | undefined, signal: AbortSignal): Promise<void> {
    if (perMinute === undefined) return;
    const now = this.#now();
    gate.tokens = Math.min(perMinute, gate.tokens + ((now - gate.filledAtMs) * perMinute) / MINUTE_MS);
    gate.filledAtMs = now;
    gate.tokens -= 1;
    if (gate.tokens >= 0) return;
    try {
      await pause((-gate.tokens * MINUTE_MS) / perMinute, undefined, { signal });
    } catch (error) {
      gate.tokens += 1;
      throw error;
    }
  }

  #gateOf(origin: string, limits: Limits): Gate {
    const known = this.#gates.get(origin);
    if (known) return known;
    const made: Gate = { busy: 0, waiting: [], tokens: limits.requestsPerMinute ?? 0, filledAtMs: this.#now() };
    this.#gates.set(origin, made);
    return made;
  }
}

function place(gate: Gate, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      gate.waiting.splice(gate.waiting.indexOf(take), 1);
      reject(signal.reason as Error);
    };
    if (signal.aborted) return reject(signal.reason as Error);
    gate.waiting.push(take);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Holds back reads beyond what the source says it tolerates; waiting is not an error. */
export const limited =
  (gates: OriginGates) =>
  (inner: Source): Source => {
    const { readBlock } = inner;
    const inTurn = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
      const { maxConnections, requestsPerMinute } = inner.capabilities();
      const enter = gates.enter(inner.origin, { connections: maxConnections, requestsPerMinute }, signal);
      const leave = await enter.catch((cause: unknown) => {
        throw new SourceError('aborted', inner.name, 'stopped by us', { cause });
      });
      try {
        return await work();
      } finally {
        leave();
      }
    };
    return {
      ...inner,
      read: (request, sink, signal) => inTurn(signal, () => inner.read(request, sink, signal)),
      ...(readBlock && {
        readBlock: (cid, maxBytes, signal) => inTurn(signal, () => readBlock(cid, maxBytes, signal)),
      }),
    };
  };
