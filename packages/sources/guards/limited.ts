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
  /** The most reads at once, as the last one that entered said. */
  connections: number;
  /** Reads that run or have a place; a gate without any, and with its allowance whole, says nothing and is forgotten. */
  busy: number;
  requestsPerMinute: number | undefined;
  readonly waiting: WaitQueue<void>;
  tokens: number;
  filledAtMs: number;
}

/** Counts of every origin, shared by all transfers of a process. */
export class OriginGates {
  /** What the refusals of every origin have shown; a gate holds reads to it. */
  readonly limits: ConnectionLimits;
  readonly #gates = new Map<string, Gate>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.limits = new ConnectionLimits(now);
  }

  /** Origins that are remembered now. */
  get size(): number {
    return this.#gates.size;
  }

  /** Waits for a place and a turn. @returns gives the place back */
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
      await this.#turn(gate, limits.requestsPerMinute, signal);
      return leave;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** One place is left where a limit was learnt, however low: a read that waits has nothing else to let it in. */
  #hasPlace({ busy, connections }: Gate, origin: string): boolean {
    return busy < Math.max(1, Math.min(connections, this.limits.of(origin)));
  }

  /** A bucket of one minute's requests that fills evenly. */
  async #turn(gate: Gate, perMinute: number | undefined, signal: AbortSignal): Promise<void> {
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

  /** Origins come and go for as long as the process lives; whoever is new makes room. */
  #forgetIdle(): void {
    for (const [origin, gate] of this.#gates) {
      const { busy, requestsPerMinute = 0 } = gate;
      this.#fill(gate, requestsPerMinute);
      if (busy === 0 && gate.tokens >= requestsPerMinute) this.#gates.delete(origin);
    }
  }
}

/** Holds back reads beyond what the source says it tolerates, or has shown to serve; waiting is not an error. */
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

/** A CID has its own allowance at some origins; whoever waits for it holds no place of the origin. @returns gives the place back */
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
