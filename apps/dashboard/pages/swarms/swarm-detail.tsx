import { useQuery } from '@tanstack/react-query';
import { Fragment } from 'react';
import { Link, useParams } from 'react-router';
import { ApiError } from '#client/api-error';
import type { SwarmView } from '#contracts/swarm-view';
import { BOTTLENECK_TEXT } from '#core/swarm/swarm-bound';
import { swarmProgress } from '#core/swarm/swarm-progress';
import { SECOND_MS } from '#core/units';
import { api } from '../../data/api.ts';
import { StackedBar } from '../../parts/marks/progress-bar.tsx';
import { SwarmCanvas } from '../../parts/marks/swarm-canvas.tsx';
import { EmptyState, Facts, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { ShortCode } from '../../parts/text/copy.tsx';
import { bytesText, countText, durationText, several } from '../../parts/text/format.tsx';
import { copiesText, fileTitle } from '../../parts/text/swarm-words.ts';
import { SwarmHosts, SwarmLeases } from './swarm-tables.tsx';

/** A big swarm is a long answer. */
const EVERY_MS = 2 * SECOND_MS;
const EVERY_MS_PER_HOST = 5;
const IDLE_MS = 10 * SECOND_MS;

const isAtRest = ({ hosts }: SwarmView): boolean => hosts.every(({ state }) => state === 'seeding');

/** No event tells of announces: the page asks again, rarely where no host fetches. */
const pauseOf = (view: SwarmView | undefined): number =>
  view === undefined || isAtRest(view) ? IDLE_MS : Math.max(EVERY_MS, EVERY_MS_PER_HOST * view.hosts.length);

export function SwarmPage() {
  const { cid = '' } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ['swarm', cid],
    queryFn: () => api.getSwarm(cid),
    refetchInterval: ({ state }) => pauseOf(state.data),
  });
  if (error instanceof ApiError && error.status === 404)
    return (
      <>
        <PageHead title="Swarm" lead={<ShortCode text={cid} what="the CID" length={18} />} />
        <EmptyState title="No host fetches or gives this file now." line={`haulier swarm ${cid} --watch`}>
          Hosts announce files of at least 2 MiB that have a CID while they fetch and give them. The page of a rollout
          keeps the numbers of its swarms.
        </EmptyState>
      </>
    );
  if (data === undefined)
    return (
      <>
        <PageHead title="Swarm" />
        {error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} retry={() => void refetch()} />}
      </>
    );
  return (
    <>
      <Head view={data} />
      <Numbers view={data} />
      <Section title="Who has what">
        <SwarmCanvas view={data} />
      </Section>
      <SwarmHosts view={data} />
      <SwarmLeases view={data} />
    </>
  );
}

const Head = ({ view }: { readonly view: SwarmView }) => (
  <PageHead
    title={fileTitle(view)}
    lead={
      <>
        {view.files.map(({ model, version, path }, index) => (
          <Fragment key={`${model} ${version} ${path}`}>
            {index > 0 && ', '}
            <Link to={`/models/${encodeURIComponent(model)}?version=${encodeURIComponent(version)}`}>
              {model}@{version}
            </Link>
          </Fragment>
        ))}
        {view.files.length > 0 && ' · '}
        {bytesText(view.sizeBytes)} in {several(view.pieces, 'piece')} of {bytesText(view.pieceBytes)} ·{' '}
        <ShortCode text={view.cid} what="the CID" length={18} />
      </>
    }
  />
);

function Numbers({ view }: { readonly view: SwarmView }) {
  const { hosts, sites, replication, rarest, leases, bottleneck } = view;
  const { heldPieces, allPieces, percent, doneHosts } = swarmProgress(view);
  const few = rarest.filter(({ holders }) => holders < hosts.length);
  return (
    <Section title="How it goes">
      <StackedBar
        of={allPieces}
        text={`${percent} % of all pieces are there; ${doneHosts} of ${hosts.length} hosts have the file`}
        parts={[{ tone: 'ok', label: 'pieces that are there', count: heldPieces }]}
      />
      <p role="status">
        {percent} % of all pieces are there; {countText(doneHosts)} of {several(hosts.length, 'host')} have the file.
      </p>
      <Facts
        facts={[
          ['Copies from the origin', copiesText(view.originCopies)],
          ...sites
            .filter(({ site }) => site !== '' || sites.length > 1)
            .map(({ site, copies, hosts: count }): [string, string] => [
              `Copies into ${site || 'hosts without a site'}`,
              `${copiesText(copies)} (${several(count, 'host')})`,
            ]),
          ['Time so far', durationText(view.elapsedMs)],
          ['Least possible time', durationText(view.boundMs)],
          ['Times the least', view.timesBound === null ? '–' : `${view.timesBound.toFixed(2)} ×`],
          ['Limited by', bottleneck === null ? '–' : BOTTLENECK_TEXT[bottleneck]],
          ...(view.originPausedMs > 0
            ? [
                ['Pause that the origin asked for', `${durationText(view.originPausedMs)} left`] satisfies [
                  string,
                  string,
                ],
              ]
            : []),
          ['Leases', countText(leases.length)],
          [
            'Pieces',
            replication
              .map(({ holders, pieces: count }) => `${countText(count)} at ${several(holders, 'host')}`)
              .join(', '),
          ],
          [
            'Rarest',
            few.length === 0
              ? 'none: every host has every piece'
              : few.map(({ piece, holders }) => `${piece} (${several(holders, 'host')})`).join(', '),
          ],
        ]}
      />
    </Section>
  );
}
