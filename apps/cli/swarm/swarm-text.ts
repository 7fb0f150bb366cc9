import type { SwarmView } from '#contracts/swarm-view';
import { PieceMap } from '#core/swarm/piece-map';
import { BOTTLENECK_TEXT } from '#core/swarm/swarm-bound';
import { swarmProgress } from '#core/swarm/swarm-progress';
import { formatBytes, formatDuration } from '#core/units';
import { formatTable } from '../terminal/table.ts';

type Host = SwarmView['hosts'][number];

/** Signs of a part of a file that a host has, has in part, fetches from the origin, and does not have. */
interface Signs {
  readonly all: string;
  readonly some: string;
  readonly leased: string;
  readonly none: string;
}

const SIGNS: Signs = { all: '█', some: '▒', leased: '↓', none: '·' };
/** NO_COLOR asks for signs that every terminal and every reader has. */
const PLAIN_SIGNS: Signs = { all: '#', some: '=', leased: 'v', none: '.' };

const MOST_MAP_CELLS = 48;
const LEAST_MAP_CELLS = 12;
/** Cells of the columns beside the map. */
const OTHER_CELLS = 60;

/** One line: how far the swarm is, and what it costs. */
export function swarmLine(view: SwarmView): string {
  const { hosts, originCopies, originPausedMs, elapsedMs, timesBound, bottleneck } = view;
  const { percent, doneHosts } = swarmProgress(view);
  const bound = timesBound === null ? '' : `, ${timesBound.toFixed(2)} x the bound`;
  const limit = bottleneck === null ? '' : `, limited by ${BOTTLENECK_TEXT[bottleneck]}`;
  const pause = originPausedMs > 0 ? `, the origin asked for a pause: ${formatDuration(originPausedMs)} left` : '';
  return (
    `${percent}% of all pieces, ${doneHosts} of ${hosts.length} hosts have the file, ${originCopies.toFixed(2)} copies from the origin, ` +
    `${formatDuration(elapsedMs)}${bound}${limit}${pause}`
  );
}

/**
 * The picture of one file: who has what.
 *
 * @param columns of the terminal
 * @param isPlain without signs that some terminals lack
 */
export function swarmLines(view: SwarmView, columns: number, isPlain: boolean): string[] {
  const cells = Math.min(view.pieces, Math.max(LEAST_MAP_CELLS, Math.min(MOST_MAP_CELLS, columns - OTHER_CELLS)));
  const signs = isPlain ? PLAIN_SIGNS : SIGNS;
  const rows = view.hosts.map((host) => [
    host.host,
    host.site,
    mapOf(view, host, cells, signs),
    `${Math.floor((100 * host.heldPieces) / view.pieces)}%`,
    String(host.leases),
    rateOf(host.downBytesPerSecond),
    rateOf(host.upBytesPerSecond),
  ]);
  const head = ['host', 'site', 'pieces', 'has', 'leases', 'down', 'up'];
  const size = `${formatBytes(view.sizeBytes)} in ${view.pieces} pieces of ${formatBytes(view.pieceBytes)}`;
  return [
    `${view.cid}  ${size}`,
    swarmLine(view),
    ...formatTable(head, rows, [3, 4, 5, 6], columns, [2]).split('\n'),
    ...tailLines(view),
  ];
}

function tailLines({ rarest, replication, sites }: SwarmView): string[] {
  const few = rarest.map(({ piece, holders }) => `${piece} (${hostsOf(holders)})`).join(', ');
  const copies = replication.map(({ holders, pieces }) => `${pieces} at ${hostsOf(holders)}`).join(', ');
  const bySite = sites.map(({ site, copies: count }) => `${site || 'no site'} ${count.toFixed(2)}`).join(', ');
  return [
    ...(copies === '' ? [] : [`pieces: ${copies}`]),
    ...(few === '' ? [] : [`rarest: ${few}`]),
    ...(sites.length < 2 ? [] : [`copies by site: ${bySite}`]),
  ];
}

const hostsOf = (count: number): string => (count === 1 ? '1 host' : `${count} hosts`);

const rateOf = (bytesPerSecond: number): string => (bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : '');

/** Each cell stands for the same number of pieces. */
function mapOf({ pieces, sizeBytes, leases }: SwarmView, { host, have }: Host, cells: number, signs: Signs): string {
  const map = PieceMap.parse(have, sizeBytes);
  const leased = new Set(leases.filter((lease) => lease.host === host).map(({ piece }) => piece));
  const cell = (_: unknown, index: number): string => {
    const first = Math.floor((index * pieces) / cells);
    const own = Array.from({ length: Math.floor(((index + 1) * pieces) / cells) - first }, (__, at) => first + at);
    const held = own.filter((piece) => map?.has(piece) === true).length;
    if (held === own.length) return signs.all;
    if (own.some((piece) => leased.has(piece))) return signs.leased;
    return held > 0 ? signs.some : signs.none;
  };
  return Array.from({ length: cells }, cell).join('');
}
