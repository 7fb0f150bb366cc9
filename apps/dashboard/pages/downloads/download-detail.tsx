import { Link, useParams } from 'react-router';
import type { DownloadDetail, Try } from '#contracts/http/downloads';
import { isFinal } from '#core/download-status';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { ShortCode } from '../../parts/text/copy.tsx';
import { DataTable, type Column } from '../../parts/tables/data-table.tsx';
import { ActButton, ConfirmButton } from '../../parts/dialogs.tsx';
import { bytesText, countText, durationText, percentText, rateText, When } from '../../parts/text/format.tsx';
import { EmptyState, Facts, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { ShareBar } from '../../parts/marks/progress-bar.tsx';
import { StateMark, toneOf, wordOf } from '../../parts/marks/state-mark.tsx';

export function DownloadPage() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useLive(['download', id], () => api.getDownload(id));
  if (data === undefined)
    return (
      <>
        <PageHead title="Download" />
        {error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} retry={() => void refetch()} />}
      </>
    );
  const share = data.percent === null ? null : data.percent / 100;
  return (
    <>
      <PageHead
        title={data.file}
        beside={<StateMark state={data.status} />}
        actions={<Actions download={data} />}
        lead={
          <>
            {data.error === null && `${data.message} · `}
            {data.host === null ? (
              'any worker of the pool'
            ) : (
              <Link to={`/hosts/${encodeURIComponent(data.host)}`}>{data.host}</Link>
            )}
            {data.model !== null && (
              <>
                {' '}
                · <Link to={`/models/${encodeURIComponent(data.model.name)}`}>{data.model.name}</Link>{' '}
                {data.model.version}
              </>
            )}
          </>
        }
      />
      {data.error !== null && (
        <div className="problem">
          <strong>Why it failed</strong>
          <p>{data.error}</p>
        </div>
      )}
      <Section title="Progress">
        <ShareBar share={share} tone={toneOf(data.status)} text={`${percentText(share)} of ${data.file}`} />
        <DownloadFacts download={data} />
      </Section>
      <Section
        title="Ladder of tries"
        beside={<span className="faint">one row for each request to a source, oldest first</span>}
      >
        <DataTable
          caption="Tries, oldest first"
          rows={data.tries}
          idOf={idOfTry}
          columns={TRY_COLUMNS}
          empty={<EmptyState title={isFinal(data.status) ? 'No source was asked.' : 'No source has been asked yet.'} />}
        />
      </Section>
      <Section title="Bytes by source">
        <DataTable
          caption="Bytes by source"
          rows={data.sources}
          idOf={({ source, layer }) => `${layer} ${source}`}
          empty={
            <EmptyState title={isFinal(data.status) ? 'No source gave bytes.' : 'No source has given bytes yet.'} />
          }
          columns={[
            { key: 'source', head: 'Source', cell: ({ source }) => source },
            { key: 'layer', head: 'Layer', cell: ({ layer }) => layer },
            { key: 'bytes', head: 'Kept', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
            { key: 'wasted', head: 'Thrown away', isNumber: true, cell: ({ wastedBytes }) => bytesText(wastedBytes) },
            {
              key: 'bad',
              head: 'Wrong leaves',
              isNumber: true,
              cell: ({ badLeaves }) => <span className={badLeaves > 0 ? 'tone-bad' : ''}>{countText(badLeaves)}</span>,
            },
            { key: 'errors', head: 'Errors', isNumber: true, cell: ({ errors }) => countText(errors) },
          ]}
        />
      </Section>
    </>
  );
}

function DownloadFacts({ download }: { readonly download: DownloadDetail }) {
  const { bytes, sizeBytes, bytesPerSecond, etaMs, attempts, attemptsLeft, sha256, cid, path, verified, outcome } =
    download;
  return (
    <Facts
      facts={[
        ['Bytes', `${bytesText(bytes)} of ${bytesText(sizeBytes)}`],
        ['Rate', rateText(bytesPerSecond)],
        ['Ready in', durationText(etaMs)],
        ['Attempts', `${countText(attempts)}, ${countText(attemptsLeft)} left`],
        [
          'Verified',
          verified === null
            ? 'not yet'
            : verified
              ? 'yes: the digest was proved'
              : 'no: nothing proves the bytes, and the request allowed that',
        ],
        ['Outcome', outcome === null ? '–' : wordOf(outcome)],
        ['SHA-256', sha256 === null ? '–' : <ShortCode key="sha256" text={sha256} what="the SHA-256" />],
        ['CID', cid === null ? '–' : <ShortCode key="cid" text={cid} what="the CID" length={18} />],
        ['Path on the host', path === null ? '–' : <code key="path">{path}</code>],
        ['Asked for', <When key="created" at={download.createdAt} />],
        ['Started', <When key="started" at={download.startedAt} />],
        ['Tried again', <When key="retry" at={download.retryAt} />],
        ['Waits for sources until', <When key="deadline" at={download.deadlineAt} />],
        ['Completed', <When key="completed" at={download.completedAt} />],
      ]}
    />
  );
}

function Actions({ download: { id, status, file, host } }: { readonly download: DownloadDetail }) {
  if (!useMay('write')) return null;
  const isOpen = status === 'pending' || status === 'in_progress' || status === 'resuming';
  return (
    <>
      {isOpen && <ActButton label="Pause" act={() => api.pauseDownload(id)} />}
      {(status === 'paused' || status === 'failed' || status === 'cancelled') && (
        <ActButton
          label={status === 'paused' ? 'Resume' : 'Retry'}
          className="primary"
          act={() => api.resumeDownload(id)}
        />
      )}
      {(isOpen || status === 'paused') && (
        <ConfirmButton
          verb="Cancel download"
          subject={`of ${file}`}
          isDangerous
          consequence={`${host ?? 'The worker'} stops fetching it and throws away what is not complete.`}
          act={() => api.cancelDownload(id)}
        />
      )}
    </>
  );
}

const idOfTry = ({ generation, attempt, sequence }: Try): string => `${generation}.${attempt}.${sequence}`;

const TRY_COLUMNS: readonly Column<Try>[] = [
  {
    key: 'number',
    head: 'Attempt',
    cell: ({ generation, attempt, sequence }) => `${generation}.${attempt}, try ${sequence + 1}`,
  },
  { key: 'layer', head: 'Layer', cell: ({ layer }) => layer },
  { key: 'source', head: 'Source', cell: ({ source }) => source },
  { key: 'status', head: 'Result', cell: ({ status }) => <StateMark state={status} /> },
  { key: 'bytes', head: 'Bytes', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
  { key: 'took', head: 'Took', isNumber: true, cell: ({ latencyMs }) => durationText(latencyMs) },
  {
    key: 'rate',
    head: 'Mean rate',
    isNumber: true,
    isExtra: true,
    cell: ({ bytes, latencyMs }) => (latencyMs === 0 ? '–' : rateText((1000 * bytes) / latencyMs)),
  },
  {
    key: 'error',
    head: 'Why',
    cell: ({ errorKind, errorMessage }) =>
      errorKind === null ? '' : <span className="error-text">{`${errorKind}: ${errorMessage ?? ''}`}</span>,
  },
  { key: 'at', head: 'When', isExtra: true, cell: ({ at }) => <When at={at} /> },
];
