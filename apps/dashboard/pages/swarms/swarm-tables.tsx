import { Link } from 'react-router';
import type { SwarmView } from '#contracts/swarm-view';
import { ShareBar } from '../../parts/marks/progress-bar.tsx';
import { EmptyState, Section } from '../../parts/page.tsx';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { bytesText, countText, durationText, percentText, rateText } from '../../parts/text/format.tsx';

/** Rows of a table; the picture has all hosts. */
const MOST_ROWS = 200;
const MOST_LEASES = 30;

type Host = SwarmView['hosts'][number];

const stateOf = ({ state, isHidden, diskBound }: Host): string =>
  [
    state === 'seeding' ? 'has the file' : 'fetches it',
    ...(isHidden ? ['cannot be reached'] : []),
    ...(diskBound ? ['waits for its disk'] : []),
  ].join(', ');

/** The hosts of a swarm, those that lack most first. */
export function SwarmHosts({ view: { hosts, pieces } }: { readonly view: SwarmView }) {
  const sorted = [...hosts].sort((a, b) => a.heldPieces - b.heldPieces || (a.host < b.host ? -1 : 1));
  const note = hosts.length > MOST_ROWS ? `the ${MOST_ROWS} of ${countText(hosts.length)} that have least` : '';
  return (
    <Section title="Hosts" beside={<span className="faint">{note}</span>}>
      <DataTable
        caption="Hosts of the swarm, those that have least first"
        rows={sorted.slice(0, MOST_ROWS)}
        idOf={({ host }) => host}
        columns={[
          {
            key: 'host',
            head: 'Host',
            cell: ({ host }) => <Link to={`/hosts/${encodeURIComponent(host)}`}>{host}</Link>,
          },
          { key: 'site', head: 'Site', cell: ({ site }) => site || '–' },
          {
            key: 'has',
            head: 'Has',
            cell: ({ host, heldPieces }) => (
              <span className="row">
                <ShareBar
                  share={heldPieces / pieces}
                  tone="ok"
                  text={`${host} has ${heldPieces} of ${pieces} pieces`}
                />
                {percentText(heldPieces / pieces)}
              </span>
            ),
          },
          { key: 'state', head: 'State', cell: stateOf },
          { key: 'leases', head: 'Leases', isNumber: true, cell: ({ leases }) => countText(leases) },
          {
            key: 'down',
            head: 'Takes at most',
            isNumber: true,
            isExtra: true,
            cell: (host) => rateText(host.downBytesPerSecond),
          },
          {
            key: 'up',
            head: 'Gives at most',
            isNumber: true,
            isExtra: true,
            cell: (host) => rateText(host.upBytesPerSecond),
          },
        ]}
      />
    </Section>
  );
}

/** What is being fetched for the others. */
export const SwarmLeases = ({ view: { leases, hosts } }: { readonly view: SwarmView }) => (
  <Section
    title="Leases"
    beside={
      <span className="faint">
        {leases.length > MOST_LEASES && `the first ${MOST_LEASES} of ${countText(leases.length)}`}
      </span>
    }
  >
    <DataTable
      caption="Pieces that are being fetched from the origin or from another site"
      rows={leases.slice(0, MOST_LEASES)}
      idOf={({ from, piece, host }) => `${from} ${piece} ${host}`}
      empty={
        <EmptyState
          title={
            hosts.every(({ state }) => state === 'seeding')
              ? 'Every host has the file.'
              : 'No host fetches a piece from the origin or from another site now.'
          }
        />
      }
      columns={[
        { key: 'piece', head: 'Piece', cell: ({ piece }) => String(piece) },
        { key: 'host', head: 'Host', cell: ({ host }) => host },
        { key: 'from', head: 'From', cell: ({ from }) => (from === 'origin' ? 'the origin' : 'another site') },
        { key: 'bytes', head: 'Arrived', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
        { key: 'since', head: 'For', isNumber: true, cell: ({ sinceMs }) => durationText(sinceMs) },
        { key: 'ends', head: 'Ends in', isNumber: true, isExtra: true, cell: ({ endsInMs }) => durationText(endsInMs) },
      ]}
    />
  </Section>
);
