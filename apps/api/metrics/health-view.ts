import type { MetricsHealth } from '#contracts/http/metrics';
import { LAYER_NAMES } from '#core/layer';
import type { LayerHealth } from '#database/history/metrics-queries';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

type LayerView = MetricsHealth['layers'][number];

/** @param found layers that were tried since then */
export function healthView(since: Date, found: readonly LayerHealth[]): MetricsHealth {
  const layers = LAYER_NAMES.map((layer) =>
    layerView(
      layer,
      found.find((one) => one.layer === layer),
    ),
  );
  return { ...overall(layers), since: momentOf(since), layers };
}

function layerView(layer: LayerView['layer'], found: LayerHealth | undefined): LayerView {
  return {
    layer,
    status: found?.state ?? 'unknown',
    since: momentOrNull(found?.stateSince),
    reason:
      found === undefined
        ? 'no try in the window'
        : `${percent(found.successRate)} of ${found.attempts} ${found.attempts === 1 ? 'try' : 'tries'} succeeded`,
    tries: found?.attempts ?? 0,
    successRate: found?.successRate ?? null,
    lastSuccessAt: momentOrNull(found?.lastSuccessAt),
    lastFailureAt: momentOrNull(found?.lastFailureAt),
    lastError: found?.lastError ?? null,
  };
}

/** Down only when no layer that was tried gives files: the next layer makes up for one that fails. */
function overall(layers: readonly LayerView[]): Pick<MetricsHealth, 'status' | 'reason' | 'statusSince'> {
  const bad = layers.filter(({ status }) => status === 'degraded' || status === 'down');
  const works = layers.some(({ status }) => status === 'healthy' || status === 'degraded');
  if (bad.length === 0)
    return {
      status: 'ok',
      reason: works ? 'every layer that was tried works' : 'nothing was tried',
      statusSince: null,
    };
  const sinces = bad.flatMap(({ since }) => (since === null ? [] : [since])).sort();
  return {
    status: works ? 'degraded' : 'down',
    reason: bad.map(({ layer, status, reason }) => `${layer} is ${status}: ${reason}`).join('; '),
    statusSince: (works ? sinces[0] : sinces.at(-1)) ?? null,
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
