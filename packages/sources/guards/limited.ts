import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { WaitQueue } from '#core/async/wait-queue';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { MINUTE_MS } from '#core/units';
import { ConnectionLimits } from './connection-limits.ts';

export interface Limits {
  /** Reads at once. */
  readonly connections: number;
  /** Undefined for no limit. */
  readonly requestsPerMinute?: number | undefined;
}

interface Gate {
  /** The most reads at once, as given by the last caller of `enter`. */
  connections: number;
  /** Reads that have a place; a gate without any, and with its full allowance, is forgotten. */
  busy: number;
  requestsPerMinute: number | undefined;
  readonly waiting: WaitQueue<void>;
  tokens: number;
  filledAtMs: number;
}

/** Limits reads by origin, over all transfers of a process. */
export class OriginGates {
  /** Limits of connections learnt from refusals; a gate applies them too. */
  readonly limits: ConnectionLimits;
  readonly #gates = new Map<string, Gate>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.limits = new ConnectionLimits(now);
  }

  /** Number of origins in memory. */
  get size(): number {
    return this.#gates.size;
  }

  /** Waits for a place, and for the allowance of requests. @returns frees the place */
  async enter(origin: string, limits: Limits, signal: AbortSignal): Promise<() => void> {
    // Many reads of one transfer share its signal.
    setMaxListeners(0, signal);
    const gate = this.#gateOf(origin, limits);
    gate.requestsPerMinute = limits.requestsPerMinute;
    gate.connections = limits.connections;
    if (this.#hasPlace(gate, origin)) gate.busy += 1;
    else await gate.waiting.wait(signal);
    const leave = (): void => {
      gate.busy -= 1;
      while (gate.waiting.length > 0 && this.#hasPlace(gate, origin)) {
        gate.busy += 1;
        gate.waiting.hand();
      }
    };
    try {
      await this.#awaitAllowance(gate, limits.requestsPerMinute, signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** A learnt limit leaves at least one place; otherwise waiting reads would never begin. */
  #hasPlace({ busy, connections }: Gate, origin: string): boolean {
    return busy < Math.max(1, Math.min(connections, this.limits.of(origin)));
  }

  /** A token bucket of the requests of one minute. */
  async #awaitAllowance(gate: Gate, perMinute: number | undefined, signal: AbortSignal): Promise<void> {
    if (perMinute === undefined) return;
    this.#fill(gate, perMinute);
    gate.tokens -= 1;
    if (gate.tokens >= 0) return;
    try {
      await pause((-gate.tokens * MINUTE_MS) / perMinute, undefined, { signal });
    } catch (error) {
      gate.tokens += 1;
      throw error;
    }
  }

  #fill(gate: Gate, perMinute: number): void {
    const now = this.#now();
    gate.tokens = Math.min(perMinute, gate.tokens + ((now - gate.filledAtMs) * perMinute) / MINUTE_MS);
    gate.filledAtMs = now;
  }

  #gateOf(origin: string, limits: Limits): Gate {
    const known = this.#gates.get(origin);
    if (known) return known;
    this.#forgetIdle();
    const { requestsPerMinute } = limits;
    const made: Gate = {
      busy: 0,
      connections: limits.connections,
      requestsPerMinute,
      waiting: new WaitQueue(),
      tokens: requestsPerMinute ?? 0,
      filledAtMs: this.#now(),
    };
    this.#gates.set(origin, made);
    return made;
  }

  /** Bounds the memory of a process that asks many origins. */
  #forgetIdle(): void {
    for (const [origin, gate] of this.#gates) {
      const { busy, requestsPerMinute = 0 } = gate;
      this.#fill(gate, requestsPerMinute);
      if (busy === 0 && gate.tokens >= requestsPerMinute) this.#gates.delete(origin);
    }
  }
}

/** Delays reads beyond the known and the learnt limits of the source; waiting is not an error. */
export const limited =
  (gates: OriginGates) =>
  (inner: Source): Source => {
    const { readBlock } = inner;
    const inTurn = async <T>(cid: string | undefined, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
      const leave = await enter(gates, inner, cid, signal).catch((cause: unknown) => {
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
      capabilities: () => {
        const known = inner.capabilities();
        return { ...known, maxConnections: Math.min(known.maxConnections, gates.limits.of(inner.origin)) };
      },
      read: (request, sink, signal) => inTurn(inner.cid, signal, () => inner.read(request, sink, signal)),
      ...(readBlock && {
        readBlock: (cid, maxBytes, signal) => inTurn(cid, signal, () => readBlock(cid, maxBytes, signal)),
      }),
    };
  };

/** Some origins limit requests per CID; a read that waits for that allowance takes no place of the origin. @returns frees the place */
async function enter(
  gates: OriginGates,
  { origin, capabilities }: Source,
  cid: string | undefined,
  signal: AbortSignal,
): Promise<() => void> {
  const { maxConnections, requestsPerMinute, requestsPerMinutePerCid } = capabilities();
  if (cid !== undefined && requestsPerMinutePerCid !== undefined) {
    const limits = { connections: Infinity, requestsPerMinute: requestsPerMinutePerCid };
    const leave = await gates.enter(`${origin} ${cid}`, limits, signal);
    leave();
  }
  return gates.enter(origin, { connections: maxConnections, requestsPerMinute }, signal);
}
