import { LAYER_NAMES } from '#core/layer';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { EmptyState, PageHead, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { SourceLayer } from './source-layer.tsx';

/** Sources by layer, in the order in which the fleet asks them. */
export function Sources() {
  const { data, error, refetch } = useLive(['sources'], () => api.listSources());
  const { data: orders } = useLive(['sources', 'orders'], () => api.listSourceOrders());
  const layers = LAYER_NAMES.filter((layer) => data?.some((source) => source.layer === layer));
  return (
    <>
      <PageHead
        title="Sources"
        lead="Where bytes come from. A file is asked of the first layer first, and in a layer of the sources in their order; every byte is proved, whichever source sent it."
      />
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton lines={10} />}
      {data?.length === 0 && (
        <EmptyState title="No source has been asked yet." line="haulier download whisper-base --host gpu-017">
          Sources are named by the configuration of workers and by manifests; they appear with their first try.
        </EmptyState>
      )}
      {layers.map((layer) => (
        <SourceLayer
          key={layer}
          layer={layer}
          sources={(data ?? []).filter((source) => source.layer === layer)}
          order={orders?.find((order) => order.layer === layer)}
        />
      ))}
    </>
  );
}
