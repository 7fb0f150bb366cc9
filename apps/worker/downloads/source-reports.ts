import { MAX_SOURCE_REPORTS, type ReportedSource } from '#contracts/worker/worker-events';
import { parseGateway } from '#sources/gateway/gateways';
import type { ConnectionLimits } from '#sources/guards/connection-limits';
import type { HealthView, SourceHealth } from '#sources/guards/source-health';
import type { WorkerConfig } from '../config.ts';
import { MAX_ORIGIN_CHARS } from './attempt-events.ts';

type Place = Pick<ReportedSource, 'layer' | 'kind' | 'origin' | 'place' | 'requestsPerMinute'>;

/** What this worker knows of its sources: those that it is configured with, in their order, and then those that manifests named. */
export function sourceReports(
  config: Pick<WorkerConfig, 'ipfsGateways' | 'gatewayData' | 'huggingFace' | 'layers'>,
  health: Pick<SourceHealth, 'of' | 'snapshot'>,
  limits: Pick<ConnectionLimits, 'of'>,
): ReportedSource[] {
  // One server may be a gateway and a hub, as `haulier serve` is.
  const configured = new Map(configuredPlaces(config).map((place) => [`${place.layer} ${place.origin}`, place]));
  const origins = new Set([...configured.values()].map(({ origin }) => origin));
  const others = health
    .snapshot()
    .filter(({ origin }) => !origins.has(origin))
    .map(({ origin }): Place => ({
      layer: 'huggingface',
      kind: 'mirror',
      origin,
      place: null,
      requestsPerMinute: null,
    }));
  return [...configured.values(), ...others]
    .filter(({ origin }) => origin.length <= MAX_ORIGIN_CHARS)
    .slice(0, MAX_SOURCE_REPORTS)
    .map((place) => ({ ...place, ...healthOf(health.of(place.origin)), connections: finite(limits.of(place.origin)) }));
}

/** A gateway that cannot be used is left out; the sources of each download warn of it. */
function configuredPlaces({
  ipfsGateways,
  gatewayData,
  huggingFace,
  layers,
}: Parameters<typeof sourceReports>[0]): Place[] {
  const gateways = ipfsGateways.flatMap((text) => {
    try {
      const { baseUrl, hints } = parseGateway(text, gatewayData);
      return [{ origin: new URL(baseUrl).origin, requestsPerMinute: hints.requestsPerMinute ?? null }];
    } catch {
      return [];
    }
  });
  const ipfs = gateways.map(({ origin, requestsPerMinute }, index): Place => ({
    ...{ layer: 'ipfs', kind: 'ipfs-gateway', origin, place: index + 1, requestsPerMinute },
  }));
  const { endpoint } = huggingFace;
  const hub: Place[] = URL.canParse(endpoint)
    ? [
        {
          layer: 'huggingface',
          kind: 'huggingface',
          origin: new URL(endpoint).origin,
          place: 1,
          requestsPerMinute: null,
        },
      ]
    : [];
  return [...(layers.includes('ipfs') ? ipfs : []), ...(layers.includes('origin') ? hub : [])];
}

const healthOf = ({ state, waitMs, successRate, bytesPerSecond }: HealthView) => ({
  ...{ breaker: state, waitMs, successRate: successRate ?? null },
  bytesPerSecond: bytesPerSecond === undefined ? null : Math.round(bytesPerSecond),
});

const finite = (count: number): number | null => (Number.isFinite(count) ? count : null);
