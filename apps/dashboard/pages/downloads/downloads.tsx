import { useState } from 'react';
import { useNavigate } from 'react-router';
import { BULK_ACTIONS, type BulkActionName } from '#core/bulk-action';
import { DOWNLOAD_STATUSES, type DownloadStatus } from '#core/download-status';
import type { CreateBulkActionBody } from '#contracts/http/bulk-actions';
import { api } from '../../data/api.ts';
import { useLive, useModels } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { ConfirmButton } from '../../parts/dialogs.tsx';
import { DownloadTable } from '../../parts/tables/download-table.tsx';
import { FilterBar, useFilters } from '../../parts/tables/filters.tsx';
import { countText, several } from '../../parts/text/format.tsx';
import { EmptyState, PageHead, Skeleton } from '../../parts/page.tsx';
import { Pages } from '../../parts/tables/pages.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

export function Downloads() {
  const { valuesOf, textOf } = useFilters();
  const status = valuesOf('status');
  const filter = {
    status: status.length > 0 ? status : undefined,
    model: textOf('model'),
    version: textOf('version'),
    host: textOf('host'),
  };
  const isFiltered = Object.values(filter).some((one) => one !== undefined);
  const page = { ...filter, cursor: textOf('cursor') };
  const { data, error, refetch } = useLive(['downloads', page], () => api.listDownloads(page));
  const { data: models } = useModels();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const mayWrite = useMay('write');
  return (
    <>
      <PageHead title="Downloads" lead="One file on one host each, newest first." />
      <FilterBar
        page="downloads"
        keys={[
          { key: 'status', label: 'Status', values: DOWNLOAD_STATUSES },
          { key: 'model', label: 'Model', values: models?.map(({ name }) => name), isFree: true, isSingle: true },
          { key: 'version', label: 'Version', isFree: true, isSingle: true },
          { key: 'host', label: 'Host', isFree: true, isSingle: true },
        ]}
        views={[
          { name: 'Running', query: 'status=in_progress,resuming' },
          { name: 'Waiting to retry', query: 'status=paused' },
          { name: 'Failed', query: 'status=failed' },
        ]}
        count={data === undefined ? '' : `${several(data.downloads.length, 'download')} on this page`}
      />
      {mayWrite && <BulkBar chosen={chosen} clear={() => choose(new Set())} filter={filter} />}
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton lines={10} />
      ) : (
        <DownloadTable
          caption="Downloads, newest first"
          downloads={data.downloads}
          selection={mayWrite ? { chosen, choose } : undefined}
          empty={
            <EmptyState
              title={isFiltered ? 'No download matches.' : 'There is no download yet.'}
              line="haulier download whisper-base --host gpu-017"
            >
              A rollout makes downloads, or the command line one by one.
            </EmptyState>
          }
        />
      )}
      {data !== undefined && <Pages nextCursor={data.nextCursor} shown="" />}
    </>
  );
}

interface Wanted {
  readonly status: readonly string[] | undefined;
  readonly model: string | undefined;
  readonly version: string | undefined;
  readonly host: string | undefined;
}

/** Acts on the chosen downloads, or on all that the filter matches; the API counts exactly what each act would do. */
function BulkBar({
  chosen,
  clear,
  filter,
}: {
  readonly chosen: ReadonlySet<string>;
  readonly clear: () => void;
  readonly filter: Wanted;
}) {
  const [isAll, setAll] = useState(false);
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  if (chosen.size === 0) return null;
  const bulkFilter: CreateBulkActionBody['filter'] = isAll
    ? { ...filter, status: filter.status as DownloadStatus[] | undefined }
    : { ids: [...chosen] };
  return (
    <div className="bulk" role="group" aria-label="Act on downloads">
      <strong>{isAll ? 'All that match the filter' : several(chosen.size, 'download')}</strong>
      <label className="inline">
        <input
          type="checkbox"
          checked={isAll}
          disabled={!hasFilter}
          onChange={({ target }) => setAll(target.checked)}
        />
        {hasFilter ? 'all that match the filter' : 'filter first to act on more than this page'}
      </label>
      {BULK_ACTIONS.map((action) => (
        <BulkButton key={action} action={action} filter={bulkFilter} done={clear} />
      ))}
      <button type="button" className="quiet" onClick={clear}>
        Clear the choice
      </button>
    </div>
  );
}

const VERBS: Readonly<Record<BulkActionName, string>> = {
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel downloads',
  retry: 'Retry',
};

function BulkButton({
  action,
  filter,
  done,
}: {
  readonly action: BulkActionName;
  readonly filter: CreateBulkActionBody['filter'];
  readonly done: () => void;
}) {
  const navigate = useNavigate();
  const { data } = useLive(['downloads', 'plan', action, filter], () => api.planBulkAction({ action, filter }));
  const acting = data?.counts.pending ?? 0;
  const left = data === undefined ? 0 : data.counts.matched - acting;
  return (
    <ConfirmButton
      verb={VERBS[action]}
      subject={`${several(acting, 'download')}`}
      count={acting}
      disabled={acting === 0}
      isDangerous={action === 'cancel'}
      consequence={
        <>
          <p>
            {countText(data?.counts.matched)} match. {countText(acting)} will be changed; {countText(left)} are left
            alone:
          </p>
          <ul>
            {data?.reasons.map(({ reason, count }) => (
              <li key={reason}>
                {countText(count)}: {reason}
              </li>
            ))}
          </ul>
        </>
      }
      act={async () => {
        const { id } = await api.createBulkAction({ action, filter });
        done();
        await navigate(`/bulk-actions/${id}`);
      }}
    />
  );
}
