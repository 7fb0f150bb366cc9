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
  if (found === undefined) return { layer, ...NOT_TRIED };
  const { state, stateSince, attempts, successRate, lastSuccessAt, lastFailureAt, lastError } = found;
  return {
    ...{ layer, status: state, since: momentOrNull(stateSince), tries: attempts, successRate, lastError },
    reason: `${percent(successRate)} of ${attempts} ${attempts === 1 ? 'try' : 'tries'} succeeded`,
    ...{ lastSuccessAt: momentOrNull(lastSuccessAt), lastFailureAt: momentOrNull(lastFailureAt) },
  };
}

const NOT_TRIED: Omit<LayerView, 'layer'> = {
  ...{ status: 'unknown', since: null, reason: 'no try in the window', tries: 0, successRate: null },
  ...{ lastSuccessAt: null, lastFailureAt: null, lastError: null },
};

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
