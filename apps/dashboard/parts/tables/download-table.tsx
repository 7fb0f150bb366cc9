import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Download } from '#contracts/http/downloads';
import { DataTable, type Column, type Selection } from './data-table.tsx';
import { bytesText, countText, percentText, rateText, When } from '../text/format.tsx';
import { ShareBar } from '../marks/progress-bar.tsx';
import { StateMark, toneOf } from '../marks/state-mark.tsx';

export function DownloadTable(props: {
  readonly caption: string;
  readonly downloads: readonly Download[];
  readonly withHost?: boolean;
  readonly selection?: Selection | undefined;
  readonly empty: ReactNode;
}) {
  const { caption, downloads, withHost = true, selection, empty } = props;
  return (
    <DataTable
      caption={caption}
      rows={downloads}
      idOf={({ id }) => id}
      columns={COLUMNS.filter(({ key }) => withHost || key !== 'host')}
      selection={selection}
      empty={empty}
    />
  );
}

const shareOf = ({ percent }: Download): number | null => (percent === null ? null : percent / 100);

const isMoving = ({ status }: Download): boolean => status === 'in_progress' || status === 'resuming';

const COLUMNS: readonly Column<Download>[] = [
  { key: 'file', head: 'File', cell: ({ id, file }) => <Link to={`/downloads/${id}`}>{file}</Link> },
  { key: 'status', head: 'Status', cell: ({ status, message }) => <StateMark state={status} note={message} /> },
  {
    key: 'reason',
    head: 'Why',
    cell: ({ id, error, reason }) =>
      error === null ? (
        reason.replaceAll('_', ' ')
      ) : (
        <Link className="error-text" to={`/downloads/${id}`} title={error}>
          {error}
        </Link>
      ),
  },
  {
    key: 'host',
    head: 'Host',
    cell: ({ host }) =>
      host === null ? (
        'the pool'
      ) : (
        <Link className="whole" to={`/hosts/${encodeURIComponent(host)}`}>
          {host}
        </Link>
      ),
  },
  {
    key: 'model',
    head: 'Model',
    isExtra: true,
    cell: ({ model }) =>
      model === null ? (
        '–'
      ) : (
        <Link to={`/models/${encodeURIComponent(model.name)}`}>
          {model.name}
          {model.version === null ? '' : `@${model.version}`}
        </Link>
      ),
  },
  {
    key: 'progress',
    head: 'There',
    isExtra: true,
    cell: (download) => (
      <ShareBar
        share={shareOf(download)}
        tone={toneOf(download.status)}
        text={`${download.file}: ${percentText(shareOf(download))}`}
      />
    ),
  },
  {
    key: 'bytes',
    head: 'Bytes',
    isNumber: true,
    cell: ({ bytes, sizeBytes }) =>
      bytes === sizeBytes ? bytesText(bytes) : `${bytesText(bytes)} / ${bytesText(sizeBytes)}`,
  },
  {
    key: 'rate',
    head: 'Rate',
    isNumber: true,
    isExtra: true,
    cell: (download) => (isMoving(download) ? rateText(download.bytesPerSecond) : '–'),
  },
  { key: 'updated', head: 'Updated', isExtra: true, cell: ({ updatedAt }) => <When at={updatedAt} /> },
  {
    key: 'attempts',
    head: 'Attempt',
    isNumber: true,
    isExtra: true,
    cell: ({ attempts, attemptsLeft }) => `${countText(attempts)}/${countText(attempts + attemptsLeft)}`,
  },
  { key: 'source', head: 'Source', isExtra: true, cell: ({ source }) => source ?? '–' },
];
