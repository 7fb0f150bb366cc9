import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { parseLabelLines } from '../../data/forms/label-lines.ts';
import type { HostDetail } from '#contracts/http/status';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ActButton, ConfirmButton, DialogForm, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { DownloadTable } from '../../parts/tables/download-table.tsx';
import { useFilters } from '../../parts/tables/filters.tsx';
import { bytesText, countText, When } from '../../parts/text/format.tsx';
import { Labels } from '../../parts/text/labels.tsx';
import { EmptyState, Facts, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { Pages } from '../../parts/tables/pages.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { Tabs, useTab } from '../../parts/tabs.tsx';

const TABS = [
  { key: 'now', label: 'Now' },
  { key: 'history', label: 'History' },
  { key: 'models', label: 'Models on host' },
  { key: 'drift', label: 'Desired and drift' },
  { key: 'config', label: 'Config' },
] as const;

const RUNNING = ['pending', 'in_progress', 'resuming', 'paused'];

export function HostPage() {
  const { name = '' } = useParams();
  const { data, error, refetch } = useLive(['host', name], () => api.getHost(name));
  const tab = useTab(TABS);
  if (data === undefined)
    return (
      <>
        <PageHead title={name} />
        {error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} retry={() => void refetch()} />}
      </>
    );
  return (
    <>
      <PageHead
        title={data.name}
        beside={
          <>
            <StateMark state={data.status} />
            {data.draining && <StateMark state="draining" />}
            <Labels labels={{ ...data.workerLabels, ...data.setLabels }} />
          </>
        }
        actions={<Actions host={data} />}
        lead={
          <>
            Last seen <When at={data.lastSeenAt} isPast /> · worker {data.workerVersion ?? 'unknown'} · store{' '}
            {bytesText(data.storeBytes)}, free {bytesText(data.freeBytes)}
          </>
        }
      />
      <Tabs tabs={TABS} label="Parts of the host" />
      {tab === 'now' && <HostDownloads name={data.name} status={RUNNING} empty="Nothing is on its way to this host." />}
      {tab === 'history' && (
        <HostDownloads name={data.name} status={undefined} empty="No download was ever asked for on this host." />
      )}
      {tab === 'models' && <HostModels name={data.name} />}
      {tab === 'drift' && <Drift host={data} />}
      {tab === 'config' && <Config host={data} />}
    </>
  );
}

function Actions({ host: { name, draining, status, setLabels, enrolment } }: { readonly host: HostDetail }) {
  const navigate = useNavigate();
  const mayAdmin = useMay('admin');
  if (!useMay('write')) return null;
  return (
    <>
      <FormDialog open="Edit labels" title={`Labels of ${name}`}>
        {(close) => <LabelForm name={name} labels={setLabels} close={close} />}
      </FormDialog>
      {draining ? (
        <ActButton label="Undrain" act={() => api.drainHost(name, false)} />
      ) : (
        <ConfirmButton
          verb="Drain"
          subject={name}
          consequence="Rollouts do not begin with it until it is undrained; what runs goes on."
          act={() => api.drainHost(name, true)}
        />
      )}
      <ConfirmButton
        verb="Verify store"
        subject={`of ${name}`}
        consequence="The host reads every file again and compares digests. What is damaged is fetched again."
        act={() => api.verifyHost(name)}
      />
      {mayAdmin && enrolment === 'enrolled' && (
        <ConfirmButton
          verb="Revoke"
          subject={`the enrolment of ${name}`}
          isDangerous
          consequence="Nothing that its worker says is believed any more, until the host is enrolled again."
          act={() => api.revokeHost(name)}
        />
      )}
      {mayAdmin && status === 'offline' && (
        <ConfirmButton
          verb="Forget host"
          subject={name}
          isDangerous
          consequence="Its downloads are cancelled and it leaves every list. A worker that reports again makes it a new host."
          act={async () => {
            await api.forgetHost(name);
            await navigate('/hosts');
          }}
        />
      )}
    </>
  );
}

function LabelForm(props: {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly close: () => void;
}) {
  const { name, labels, close } = props;
  const [text, setText] = useState(
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n'),
  );
  const act = useAct(async () => {
    const next = parseLabelLines(text);
    const removed = Object.fromEntries(
      Object.keys(labels)
        .filter((key) => !(key in next))
        .map((key) => [key, null]),
    );
    await api.labelHost(name, { ...removed, ...next });
  }, close);
  return (
    <DialogForm verb="Save labels" act={act} close={close}>
      <label>
        One label a line, as key=value
        <textarea className="box" rows={6} value={text} onChange={({ target }) => setText(target.value)} />
      </label>
      <p className="faint">These win over the labels of the worker&apos;s own configuration.</p>
    </DialogForm>
  );
}

function HostDownloads({
  name,
  status,
  empty,
}: {
  readonly name: string;
  readonly status: readonly string[] | undefined;
  readonly empty: string;
}) {
  const { textOf } = useFilters();
  const filter = { host: name, status, cursor: textOf('cursor') };
  const { data, error, refetch } = useLive(['downloads', filter], () => api.listDownloads(filter));
  if (data === undefined)
    return error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} retry={() => void refetch()} />;
  return (
    <>
      <DownloadTable
        caption={`Downloads of ${name}`}
        downloads={data.downloads}
        withHost={false}
        empty={<EmptyState title={empty} line={`haulier download whisper-base --host ${name}`} />}
      />
      <Pages nextCursor={data.nextCursor} shown="" />
    </>
  );
}

function HostModels({ name }: { readonly name: string }) {
  const { data, error, refetch } = useLive(['host', name, 'models'], () => api.listHostModels(name));
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  return (
    <DataTable
      caption={`Models on ${name}`}
      rows={data.models}
      idOf={({ model, version }) => `${model}@${version}`}
      empty={<EmptyState title="No model was asked for on this host." />}
      columns={[
        {
          key: 'model',
          head: 'Model',
          cell: ({ model, version }) => (
            <Link to={`/models/${encodeURIComponent(model)}`}>{`${model}@${version}`}</Link>
          ),
        },
        {
          key: 'state',
          head: 'State',
          cell: ({ ready, wanted }) => <StateMark state={ready === wanted ? 'ready' : 'pending'} />,
        },
        {
          key: 'files',
          head: 'Files',
          isNumber: true,
          cell: ({ ready, wanted }) => `${countText(ready)}/${countText(wanted)}`,
        },
        { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
        { key: 'at', head: 'Ready', cell: ({ readyAt }) => <When at={readyAt} /> },
      ]}
    />
  );
}

function Desired({ host: { desired } }: { readonly host: HostDetail }) {
  return (
    <DataTable
      caption="What is wanted on the host"
      rows={desired}
      idOf={({ model }) => model}
      empty={<EmptyState title="Nothing is wanted on this host." />}
      columns={[
        {
          key: 'model',
          head: 'Wanted',
          cell: ({ model, version }) => (
            <Link to={`/models/${encodeURIComponent(model)}`}>{`${model}@${version}`}</Link>
          ),
        },
        { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
        {
          key: 'files',
          head: 'Files',
          isNumber: true,
          cell: ({ files, presentFiles }) => `${countText(presentFiles)}/${countText(files)}`,
        },
        { key: 'at', head: 'Decided', cell: ({ decidedAt }) => <When at={decidedAt} /> },
        {
          key: 'by',
          head: 'By',
          cell: ({ rolloutId }) =>
            rolloutId === null ? 'a request' : <Link to={`/rollouts/${rolloutId}`}>a rollout</Link>,
        },
      ]}
    />
  );
}

function Drift({ host }: { readonly host: HostDetail }) {
  const { drift } = host;
  return (
    <Section title="What the host has against what is wanted there">
      <Desired host={host} />
      {drift.comparedAt === null ? (
        <EmptyState title="Not compared yet: the worker has not reported what its store has." />
      ) : (
        <Differences drift={drift} />
      )}
    </Section>
  );
}

function Differences({ drift }: Pick<HostDetail, 'drift'>) {
  return (
    <>
      <p className="faint">
        Compared <When at={drift.comparedAt} />: {countText(drift.missing)} missing, {countText(drift.corrupt)} corrupt,{' '}
        {countText(drift.extra)} extra, {countText(drift.old)} old.
      </p>
      <DataTable
        caption="Files that differ"
        rows={drift.files}
        idOf={({ state, model, version, path, sha256 }) => [state, model, version, path, sha256].join(' ')}
        empty={<EmptyState title="The host has exactly what is wanted there." />}
        columns={[
          {
            key: 'file',
            head: 'File',
            cell: ({ model, version, path, sha256 }) =>
              model === null ? <code>{sha256}</code> : `${model}@${version}/${path}`,
          },
          { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
          { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
          {
            key: 'repair',
            head: 'Repair',
            cell: ({ downloadId, repairWaits }) =>
              downloadId === null ? (
                '–'
              ) : (
                <Link to={`/downloads/${downloadId}`}>
                  {repairWaits ? 'waits for others of its site' : 'see download'}
                </Link>
              ),
          },
        ]}
      />
    </>
  );
}

function Config({ host }: { readonly host: HostDetail }) {
  return (
    <Section title="What is known of the host">
      <Facts
        facts={[
          ['Enrolment', <StateMark key="enrolment" state={host.enrolment} />],
          ['First seen', <When key="first" at={host.createdAt} />],
          ['Files in the store', countText(host.fileCount)],
          ['Memory', bytesText(host.memoryBytes)],
        ]}
      />
      <h3>Labels that selectors match</h3>
      <Labels labels={host.labels} />
    </Section>
  );
}
