import { useState } from 'react';
import { Link } from 'react-router';
import type { Host } from '#contracts/http/status';
import { api } from '../../data/api.ts';
import { hostFilterOf } from '../../data/forms/host-filter.ts';
import { useHostFacets, useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { DataTable, type Column } from '../../parts/tables/data-table.tsx';
import { Facet } from '../../parts/tables/facet.tsx';
import { FilterBar, useFilters } from '../../parts/tables/filters.tsx';
import { bytesText, countText, percentText, several, When } from '../../parts/text/format.tsx';
import { Labels } from '../../parts/text/labels.tsx';
import { EmptyState, PageHead, Skeleton } from '../../parts/page.tsx';
import { Pages } from '../../parts/tables/pages.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { HostBulkBar } from './host-bulk-bar.tsx';
import { ShareBar } from '../../parts/marks/progress-bar.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

const PAGE = 100;
const SHOWN_LABELS = 3;
/** Facets for at most so many label keys; a key with more values than this is better typed. */
const MAX_FACETS = 6;
const MAX_VALUES = 12;

export function Hosts() {
  const filters = useFilters();
  const filter = hostFilterOf(filters.query);
  const facets = useLive(['hosts', 'facets', filter], () => api.getHostFacets(filter));
  const all = useHostFacets();
  const page = { ...filter, cursor: filters.textOf('cursor'), limit: PAGE };
  const list = useLive(['hosts', 'page', page], () => api.listHostPage(page));
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const mayWrite = useMay('write');
  const labelFacets = Object.entries(all.data?.labels ?? {})
    .filter(([key, values]) => !key.startsWith('haulier.') && Object.keys(values).length <= MAX_VALUES)
    .slice(0, MAX_FACETS);
  return (
    <>
      <PageHead
        title="Hosts"
        lead={
          all.data === undefined
            ? undefined
            : `${several(all.data.total, 'host')} were ever heard of; ${countText(all.data.online)} are online.`
        }
      />
      <FilterBar
        page="hosts"
        keys={[
          { key: 'q', label: 'Part of the name', isFree: true, isSingle: true },
          { key: 'status', label: 'Status', values: ['online', 'offline', 'draining'], isSingle: true },
          {
            key: 'label',
            label: 'Label',
            values: Object.entries(all.data?.labels ?? {}).flatMap(([key, values]) =>
              Object.keys(values).map((value) => `${key}=${value}`),
            ),
            isFree: true,
          },
          { key: 'version', label: 'Worker version', values: Object.keys(all.data?.versions ?? {}) },
          { key: 'disk', label: 'Disk', values: ['low'], isSingle: true },
        ]}
        views={[
          { name: 'Offline', query: 'status=offline' },
          { name: 'Disk nearly full', query: 'disk=low' },
        ]}
        count={facets.data === undefined ? '' : `${several(facets.data.total, 'host')} match`}
      />
      <div className="with-facets">
        <aside className="facets" aria-label="Facets">
          {all.data === undefined && all.error === null && <Skeleton lines={8} />}
          {all.data !== undefined && (
            <Facet
              name="Status"
              filter="status"
              isSingle
              counts={{ online: all.data.online, offline: all.data.offline, draining: all.data.draining }}
            />
          )}
          <Facet name="Worker version" filter="version" counts={all.data?.versions ?? {}} />
          {all.data !== undefined && <Facet name="Disk" filter="disk" isSingle counts={{ low: all.data.lowDisk }} />}
          {labelFacets.map(([key, values]) => (
            <Facet key={key} name={key} filter="label" prefix={`${key}=`} counts={values} />
          ))}
        </aside>
        <div className="stack">
          {mayWrite && (
            <HostBulkBar
              chosen={chosen}
              clear={() => choose(new Set())}
              matching={facets.data?.total ?? 0}
              filter={filter}
            />
          )}
          {list.error !== null && <ProblemBox error={list.error} retry={() => void list.refetch()} />}
          {list.data === undefined ? (
            list.error === null && <Skeleton lines={10} />
          ) : (
            <DataTable
              caption="Hosts, by name"
              rows={list.data.hosts}
              idOf={({ name }) => name}
              columns={COLUMNS}
              selection={mayWrite ? { chosen, choose } : undefined}
              empty={<NoHosts isFiltered={all.data !== undefined && all.data.total > 0} />}
            />
          )}
          {list.data !== undefined && <Pages nextCursor={list.data.nextCursor} shown="" />}
        </div>
      </div>
    </>
  );
}

const NoHosts = ({ isFiltered }: { readonly isFiltered: boolean }) =>
  isFiltered ? (
    <EmptyState title="No host matches the filter." />
  ) : (
    <EmptyState title="No worker has reported yet." line="haulier token create --enrol --host gpu-001">
      A host appears here when its worker first reports. Make an enrolment token for it, run “haulier worker enroll” on
      the machine, and start the worker there.
    </EmptyState>
  );

const diskOf = ({ storeBytes, freeBytes }: Host): number | null =>
  storeBytes === null || freeBytes === null || storeBytes + freeBytes === 0
    ? null
    : storeBytes / (storeBytes + freeBytes);

const LOW_FROM = 0.9;

const COLUMNS: readonly Column<Host>[] = [
  {
    key: 'name',
    head: 'Host',
    cell: ({ name }) => (
      <Link className="name" title={name} to={`/hosts/${encodeURIComponent(name)}`}>
        {name}
      </Link>
    ),
  },
  {
    key: 'status',
    head: 'Status',
    cell: ({ status, draining }) => (
      <span className="row">
        <StateMark state={status} />
        {draining && <StateMark state="draining" />}
      </span>
    ),
  },
  { key: 'seen', head: 'Last seen', isExtra: true, cell: ({ lastSeenAt }) => <When at={lastSeenAt} isPast /> },
  {
    key: 'labels',
    head: 'Labels',
    isExtra: true,
    cell: ({ setLabels, workerLabels }) => <Labels labels={{ ...workerLabels, ...setLabels }} most={SHOWN_LABELS} />,
  },
  { key: 'files', head: 'Files', isNumber: true, isExtra: true, cell: ({ fileCount }) => countText(fileCount) },
  {
    key: 'disk',
    head: 'Disk',
    cell: (host) => (
      <div className="measured">
        <ShareBar
          share={diskOf(host)}
          tone={(diskOf(host) ?? 0) >= LOW_FROM ? 'bad' : 'running'}
          text={`${host.name}: store ${bytesText(host.storeBytes)}, free ${bytesText(host.freeBytes)} (${percentText(diskOf(host))})`}
        />
        <span>{bytesText(host.freeBytes)} free</span>
      </div>
    ),
  },
  { key: 'version', head: 'Worker', isExtra: true, cell: ({ workerVersion }) => workerVersion ?? '–' },
];
