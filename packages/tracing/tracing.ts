/** What a span is about, by the names of the semantic conventions of OpenTelemetry where they have one. */
type SpanFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** `server` answers a request, `producer` hands work to a queue, `consumer` takes it from there, `client` asks another machine. */
export type SpanKind = 'server' | 'producer' | 'consumer' | 'client';

/** One piece of work of a trace, under way. */
export interface Span {
  /** Names this span to work that goes on elsewhere. @see https://www.w3.org/TR/trace-context/#traceparent-header */
  readonly traceparent: string;
  add(facts: SpanFacts): void;
  /** The work failed; a sentence about it. */
  fail(message: string): void;
  /** @param atMs when the work ended, milliseconds since 1970; left out: now */
  end(atMs?: number): void;
}

interface SpanOptions {
  readonly kind: SpanKind;
  /** `traceparent` of the work that this is a part of; left out or not readable: a trace of its own begins. */
  readonly parent?: string | undefined;
  readonly facts?: SpanFacts | undefined;
  /** Milliseconds since 1970; left out: now. */
  readonly startedAtMs?: number | undefined;
}

/** Traces of OpenTelemetry, or none. */
export interface Tracing {
  /** @returns undefined where nothing is traced */
  begin(name: string, options: SpanOptions): Span | undefined;
  /** Sends what is left, within a few seconds. Safe twice. */
  stop(): Promise<void>;
}

/** Nothing is traced, and nothing of OpenTelemetry is loaded. */
export const NO_TRACING: Tracing = { begin: () => undefined, stop: () => Promise.resolve() };
