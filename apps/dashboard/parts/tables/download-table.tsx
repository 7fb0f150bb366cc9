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

const thereText = (download: Download): string => {
  const { bytes, sizeBytes, bytesPerSecond } = download;
  const there = bytes === sizeBytes ? bytesText(bytes) : `${bytesText(bytes)} / ${bytesText(sizeBytes)}`;
  return isMoving(download) ? `${there}, ${rateText(bytesPerSecond)}` : there;
};

const isMoving = ({ status }: Download): boolean => status === 'in_progress' || status === 'resuming';

const versionText = ({ name, version }: NonNullable<Download['model']>): string =>
  version === null ? name : `${name}@${version}`;

const COLUMNS: readonly Column<Download>[] = [
  {
    key: 'file',
    head: 'File',
    cell: ({ id, file }) => (
      <Link className="name" title={file} to={`/downloads/${id}`}>
        {file}
      </Link>
    ),
  },
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
        <Link className="name" title={host} to={`/hosts/${encodeURIComponent(host)}`}>
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
        <Link className="name" title={versionText(model)} to={`/models/${encodeURIComponent(model.name)}`}>
          {versionText(model)}
        </Link>
      ),
  },
  {
    key: 'progress',
    head: 'There',
    cell: (download) => (
      <div className="measured">
        <ShareBar
          share={shareOf(download)}
          tone={toneOf(download.status)}
          text={`${download.file}: ${percentText(shareOf(download))}`}
        />
        <span>{thereText(download)}</span>
      </div>
    ),
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
