import { NO_TRACING, type Tracing } from './tracing.ts';

export interface TracingSettings {
  /** Undefined: nothing is traced. */
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Share of the traces that begin here and are sent, 0 to 1. */
  readonly share: number;
}

/** OpenTelemetry is loaded only where it is used: it takes some 60 ms and 10 MB. */
export async function openTracing(settings: TracingSettings, service: string, version: string): Promise<Tracing> {
  const { endpoint, headers, share } = settings;
  if (endpoint === undefined) return NO_TRACING;
  const { createOtlpTracing } = await import('./otlp-tracing.ts');
  return createOtlpTracing({ endpoint, headers, share, service, version });
}
