import {
  ROOT_CONTEXT,
  SpanKind as OtelKind,
  SpanStatusCode,
  TraceFlags,
  trace,
  type Context,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Span, SpanKind, Tracing } from './tracing.ts';

interface OtlpOptions {
  /** Address of the collector, such as `http://127.0.0.1:4318`; traces go to `/v1/traces` below it. */
  readonly endpoint: string;
  /** Sent with each batch, such as a login of the collector. */
  readonly headers: Readonly<Record<string, string>>;
  /** Share of the traces that begin here and are sent, 0 to 1; of a trace that began elsewhere its beginning decides. */
  readonly share: number;
  readonly service: string;
  readonly version: string;
}

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  server: OtelKind.SERVER,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
  client: OtelKind.CLIENT,
};

/** A collector that does not answer must not delay the end of the process. */
const STOP_TIMEOUT_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;

/** Sends spans to a collector by OTLP over HTTP, in batches; a collector that is away costs the spans and nothing else. */
export function createOtlpTracing({ endpoint, headers, share, service, version }: OtlpOptions): Tracing {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: EXPORT_TIMEOUT_MS });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('haulier', version);
  let stopping: Promise<void> | undefined;
  return {
    begin(name, { kind, parent, facts, startedAtMs }) {
      const options = {
        kind: KINDS[kind],
        attributes: { ...facts },
        ...(startedAtMs ? { startTime: startedAtMs } : {}),
      };
      const span = tracer.startSpan(name, options, contextOf(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
        add: (more) => void span.setAttributes({ ...more }),
        fail: (message) => void span.setStatus({ code: SpanStatusCode.ERROR, message }),
        end: (atMs) => span.end(atMs),
      } satisfies Span;
    },
    stop: () => (stopping ??= withinTimeout(provider.shutdown())),
  };
}

function contextOf(traceparent: string | undefined): Context {
  const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

/** Resolves in any case: spans that cannot be sent are lost. */
async function withinTimeout(ending: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_TIMEOUT_MS);
  });
  await Promise.race([ending.catch(() => undefined), late]);
  clearTimeout(timer);
}
