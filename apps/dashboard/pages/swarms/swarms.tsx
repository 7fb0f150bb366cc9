import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { SECOND_MS } from '#core/units';
import { api } from '../../data/api.ts';
import { EmptyState, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { bytesText, countText, several, When } from '../../parts/text/format.tsx';
import { copiesText, fileTitle, swarmPath } from '../../parts/text/swarm-words.ts';
import { SiteLimits } from './site-limits.tsx';

const EVERY_MS = 5 * SECOND_MS;
const MOST = 200;

/** Files that hosts fetch or give now. */
export function Swarms() {
  const { data, error, refetch } = useQuery({
    queryKey: ['swarms'],
    queryFn: () => api.listSwarms(MOST),
    refetchInterval: EVERY_MS,
  });
  return (
    <>
      <PageHead title="Swarms" lead="Files that hosts fetch from each other now, those that most hosts fetch first." />
      {data === undefined && error === null && <Skeleton />}
      {data === undefined && error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data !== undefined && (
        <Section title="Alive" beside={<span className="faint">{several(data.total, 'swarm')}</span>}>
          <DataTable
            caption="Files that hosts fetch or give"
            rows={data.swarms}
            idOf={({ cid, sizeBytes }) => `${cid} ${sizeBytes}`}
            empty={
              <EmptyState title="No host fetches or gives a file now." line="npm run demo -- swarm">
                Enrolled hosts announce files of at least 2 MiB that have a CID, and fetch them from each other.
              </EmptyState>
            }
            columns={[
              { key: 'file', head: 'File', cell: (swarm) => <Link to={swarmPath(swarm.cid)}>{fileTitle(swarm)}</Link> },
              {
                key: 'model',
                head: 'Model',
                cell: ({ files: [file] }) => (file === undefined ? '–' : `${file.model}@${file.version}`),
              },
              { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
              { key: 'hosts', head: 'Hosts', isNumber: true, cell: ({ hosts }) => countText(hosts) },
              { key: 'fetch', head: 'Fetch it', isNumber: true, cell: ({ leechers }) => countText(leechers) },
              { key: 'leases', head: 'Leases', isNumber: true, isExtra: true, cell: ({ leases }) => countText(leases) },
              {
                key: 'copies',
                head: 'Copies from the origin',
                isNumber: true,
                cell: ({ originCopies }) => copiesText(originCopies),
              },
              { key: 'at', head: 'Last announce', isExtra: true, cell: ({ announcedAt }) => <When at={announcedAt} /> },
            ]}
          />
        </Section>
      )}
      <SiteLimits />
    </>
  );
}
