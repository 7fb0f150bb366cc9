import { Link, useParams } from 'react-router';
import type { ModelCoverage, ModelDetail, VersionSummary } from '#contracts/http/models';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { ShortCode } from '../../parts/text/copy.tsx';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ActButton, ConfirmButton } from '../../parts/dialogs.tsx';
import { useFilters } from '../../parts/tables/filters.tsx';
import { bytesText, countText, percentText, several, When } from '../../parts/text/format.tsx';
import { swarmPath } from '../../parts/text/swarm-words.ts';
import { EmptyState, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StackedBar } from '../../parts/marks/progress-bar.tsx';
import { NewerVersion } from '../../parts/newer-version.tsx';

export function ModelPage() {
  const { name = '' } = useParams();
  const { data, error, refetch } = useLive(['model', name], () => api.getModel(name));
  const coverage = useLive(['model', name, 'coverage'], () => api.getModelCoverage(name));
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
        beside={<span className="label">{data.type}</span>}
        actions={<Actions model={data} />}
        lead={
          <>
            Current version {data.currentVersion ?? 'none'}
            {data.pinnedVersion !== null && `, pinned to ${data.pinnedVersion}`}
          </>
        }
      />
      <NewerVersion model={data} />
      <Section title="Versions">
        <Versions model={data} coverage={coverage.data} />
      </Section>
      <Coverage name={name} coverage={coverage.data} error={coverage.error} />
      <Manifest model={data} />
    </>
  );
}

function Actions({ model: { name } }: { readonly model: ModelDetail }) {
  if (!useMay('write')) return null;
  return (
    <>
      <ActButton label="Check for a newer version" act={() => api.checkModel(name)} />
      <Link className="button" to={`/rollouts/new?model=${encodeURIComponent(name)}`}>
        Roll out
      </Link>
    </>
  );
}

function Versions({ model, coverage }: { readonly model: ModelDetail; readonly coverage: ModelCoverage | undefined }) {
  const mayWrite = useMay('write');
  const hostsOf = (version: string) => coverage?.versions.find((one) => one.version === version);
  const { name, currentVersion, pinnedVersion } = model;
  return (
    <DataTable
      caption={`Versions of ${name}`}
      rows={model.versions}
      idOf={({ version }) => version}
      columns={[
        {
          key: 'version',
          head: 'Version',
          cell: ({ version }) => (
            <Link to={`?version=${encodeURIComponent(version)}`}>
              {version}
              {version === currentVersion && ' (current)'}
            </Link>
          ),
        },
        {
          key: 'hosts',
          head: 'Hosts that have it',
          isNumber: true,
          cell: ({ version }) =>
            `${countText(hostsOf(version)?.ready ?? 0)} of ${countText(hostsOf(version)?.wanted ?? 0)}`,
        },
        { key: 'files', head: 'Files', isNumber: true, cell: ({ fileCount }) => countText(fileCount) },
        { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
        {
          key: 'digest',
          head: 'Manifest',
          isExtra: true,
          cell: ({ digest }) => <ShortCode text={digest} what="the digest of the manifest" length={19} />,
        },
        { key: 'created', head: 'Published', isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
        {
          key: 'act',
          head: 'Action',
          cell: ({ version }: VersionSummary) =>
            mayWrite && (
              <span className="row">
                <Link to={`/rollouts/new?model=${encodeURIComponent(name)}&version=${encodeURIComponent(version)}`}>
                  Roll out
                </Link>
                {version === pinnedVersion ? (
                  <ActButton label="Unpin" act={() => api.unpinModel(name)} />
                ) : (
                  <ConfirmButton
                    verb="Pin"
                    subject={`${name}@${version}`}
                    consequence="It becomes current and stays current whatever is published later, and no newer version is reported."
                    act={() => api.pinModel(name, version)}
                  />
                )}
              </span>
            ),
        },
      ]}
    />
  );
}

/** Where the model is: by version, and by the values of a label. */
function Coverage({
  name,
  coverage,
  error,
}: {
  readonly name: string;
  readonly coverage: ModelCoverage | undefined;
  readonly error: unknown;
}) {
  if (coverage === undefined) return error ? <ProblemBox error={error} /> : <Skeleton />;
  return (
    <Section
      title="Where is it"
      beside={<Link to={`/downloads?model=${encodeURIComponent(name)}`}>Its downloads</Link>}
    >
      {coverage.versions.length === 0 && (
        <EmptyState title="No host was asked to have it." line={`haulier deploy ${name} --hosts gpu=true --wait`} />
      )}
      {coverage.versions.map(({ version, ready, wanted, failed }) => (
        <div key={version} className="stack">
          <span>
            {version}: {countText(ready)} of {several(wanted, 'host')} (
            {percentText(wanted === 0 ? null : ready / wanted)})
          </span>
          <StackedBar
            of={wanted}
            text={`${version}: ${ready} of ${wanted} hosts have every file, ${failed} failed`}
            parts={[
              { tone: 'ok', label: 'have every file', count: ready },
              { tone: 'bad', label: 'failed', count: failed },
              { tone: 'waiting', label: 'wait', count: wanted - ready - failed },
            ]}
          />
        </div>
      ))}
      {coverage.labels.length > 0 && (
        <DataTable
          caption="Hosts with the current version, by label"
          rows={coverage.labels}
          idOf={({ label }) => label}
          columns={[
            {
              key: 'label',
              head: 'Label',
              cell: ({ label }) => <Link to={`/hosts?label=${encodeURIComponent(label)}`}>{label}</Link>,
            },
            { key: 'ready', head: 'Have the current version', isNumber: true, cell: ({ ready }) => countText(ready) },
            { key: 'hosts', head: 'Hosts', isNumber: true, cell: ({ hosts }) => countText(hosts) },
            { key: 'share', head: 'Share', isNumber: true, cell: ({ ready, hosts }) => percentText(ready / hosts) },
          ]}
        />
      )}
    </Section>
  );
}

function Manifest({ model }: { readonly model: ModelDetail }) {
  const { textOf } = useFilters();
  const version = textOf('version') ?? model.currentVersion ?? model.versions[0]?.version;
  const { data, error } = useLive(
    ['model', model.name, 'version', version],
    () => api.getVersion(model.name, version!),
    version !== undefined,
  );
  if (version === undefined) return null;
  if (data === undefined) return error === null ? <Skeleton /> : <ProblemBox error={error} />;
  const shared = data.manifest.sources ?? [];
  return (
    <Section title={`Files of ${version}`}>
      {shared.length > 0 && (
        <p className="faint">
          Sources of every file:{' '}
          {shared
            .map((source) => (source.kind === 'mirror' ? source.url : `hub ${source.repo}@${source.revision}`))
            .join(', ')}
        </p>
      )}
      <DataTable
        caption={`Files of ${model.name}@${version}`}
        rows={data.manifest.files}
        idOf={({ path }) => path}
        columns={[
          { key: 'path', head: 'File', cell: ({ path }) => path },
          { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
          {
            key: 'sha256',
            head: 'SHA-256',
            cell: ({ sha256 }) => (sha256 === undefined ? '–' : <ShortCode text={sha256} what="the SHA-256" />),
          },
          {
            key: 'cid',
            head: 'CID',
            isExtra: true,
            cell: ({ cid }) => (cid === undefined ? '–' : <ShortCode text={cid} what="the CID" length={18} />),
          },
          {
            key: 'swarm',
            head: 'Swarm',
            cell: ({ cid, path }) =>
              cid === undefined ? (
                '–'
              ) : (
                <Link to={swarmPath(cid)} aria-label={`Who has ${path} now`}>
                  Who has it
                </Link>
              ),
          },
          {
            key: 'sources',
            head: 'Own sources',
            isNumber: true,
            isExtra: true,
            cell: ({ sources }) => countText(sources?.length ?? 0),
          },
        ]}
      />
    </Section>
  );
}
