import { Link, useParams } from 'react-router';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { ActButton, ConfirmButton } from '../../parts/dialogs.tsx';
import { bytesText, countText, durationText, rateText, several, useNow, When } from '../../parts/text/format.tsx';
import { Milestones } from '../../parts/marks/milestones.tsx';
import { Facts, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { etaMsOf, failedOf, RolloutBar, titleOf, tookText } from '../../parts/marks/rollout-bits.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { copiesText } from '../../parts/text/swarm-words.ts';
import { Tabs, useTab } from '../../parts/tabs.tsx';
import { RolloutErrorsTab } from './rollout-errors.tsx';
import { RolloutHostsTab } from './rollout-hosts.tsx';
import { RolloutSourcesTab } from './rollout-sources.tsx';
import { RolloutSwarmsTab } from './rollout-swarms.tsx';
import { RolloutTimelineTab } from './rollout-timeline.tsx';

const TABS = [
  { key: 'hosts', label: 'Hosts' },
  { key: 'errors', label: 'Errors' },
  { key: 'sources', label: 'Sources' },
  { key: 'swarms', label: 'Swarms' },
  { key: 'timeline', label: 'Timeline' },
  { key: 'spec', label: 'Spec' },
] as const;

export function RolloutDetail() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useLive(['rollout', id], () => api.getRollout(id));
  if (data === undefined)
    return (
      <>
        <PageHead title="Rollout" />
        {error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} retry={() => void refetch()} />}
      </>
    );
  return <Detail rollout={data} />;
}

function Detail({ rollout }: { readonly rollout: Rollout }) {
  const tab = useTab(TABS);
  return (
    <>
      <PageHead
        title={titleOf(rollout)}
        beside={
          <>
            <StateMark state={rollout.state} />
            {rollout.isHolding && (
              <StateMark state="holding" note="hosts that lack the models get them until it is released" />
            )}
          </>
        }
        actions={<Actions rollout={rollout} />}
        lead={
          <>
            {rollout.message} · hosts: <code>{rollout.selector || 'all'}</code> · by {rollout.createdBy},{' '}
            <When at={rollout.createdAt} />
          </>
        }
      />
      <Milestones rollout={rollout} />
      <Verdict rollout={rollout} />
      <Tabs tabs={TABS} label="Parts of the rollout" />
      {tab === 'hosts' && <RolloutHostsTab rollout={rollout} />}
      {tab === 'errors' && <RolloutErrorsTab rollout={rollout} />}
      {tab === 'sources' && <RolloutSourcesTab rollout={rollout} />}
      {tab === 'swarms' && <RolloutSwarmsTab rollout={rollout} />}
      {tab === 'timeline' && <RolloutTimelineTab id={rollout.id} />}
      {tab === 'spec' && <Spec rollout={rollout} />}
    </>
  );
}

function Actions({ rollout }: { readonly rollout: Rollout }) {
  const { id, state, isFinal, counts, isHolding } = rollout;
  const title = titleOf(rollout);
  const failed = failedOf(rollout);
  if (!useMay('write')) return null;
  const left = counts.targeted - counts.succeeded - failed;
  return (
    <>
      {state === 'awaiting_approval' && (
        <ActButton label="Approve" className="primary" act={() => api.actOnRollout(id, 'approve')} />
      )}
      {state === 'paused' && (
        <ActButton label="Resume" className="primary" act={() => api.actOnRollout(id, 'resume')} />
      )}
      {!isFinal && state !== 'paused' && state !== 'awaiting_approval' && (
        <ActButton label="Pause" act={() => api.actOnRollout(id, 'pause')} />
      )}
      {isHolding && (
        <ConfirmButton
          verb="Release"
          subject={title}
          consequence="Hosts that match later do not get it any more; hosts that have it keep it."
          act={() => api.actOnRollout(id, 'release')}
        />
      )}
      {failed > 0 && state !== 'cancelled' && state !== 'superseded' && (
        <ConfirmButton
          verb={`Retry failed (${failed})`}
          subject={`of ${title}`}
          count={failed}
          consequence={`${several(failed, 'host')} will be tried again; what they have already fetched is kept.`}
          act={() => api.retryRollout(id)}
        />
      )}
      {!isFinal && (
        <ConfirmButton
          verb="Cancel rollout"
          subject={title}
          isDangerous
          consequence={`${several(left, 'host')} will not get it; hosts that have it keep it.`}
          act={() => api.actOnRollout(id, 'cancel')}
        />
      )}
    </>
  );
}

function Verdict({ rollout }: { readonly rollout: Rollout }) {
  const { counts, threshold, bytes, isFinal, originCopies } = rollout;
  const now = useNow();
  const mayStillFail = threshold.allowedFailures - failedOf(rollout);
  const moreFailures =
    mayStillFail >= 0 ? `${several(mayStillFail, 'more failure')} may happen.` : 'More hosts failed than may fail.';
  return (
    <Section title="Verdict">
      <RolloutBar rollout={rollout} />
      <p>
        At least {countText(threshold.required)} of {several(counts.targeted, 'host')} must succeed ({threshold.percent}{' '}
        %). {countText(counts.succeeded)} have, {countText(counts.alreadyPresent)} of them before it began;{' '}
        {countText(failedOf(rollout))} failed. {!isFinal && moreFailures}
      </p>
      <ol className="timeline">
        <Step name="Created" at={rollout.createdAt} />
        <Step name="Started" at={rollout.startedAt} />
        {rollout.wave !== null && (
          <li>
            <span className="faint">Wave</span>
            {rollout.wave.name} ({rollout.wave.index + 1} of {rollout.wave.of})
          </li>
        )}
        <li>
          <span className="faint">Bytes</span>
          {bytesText(bytes.done)} of {bytesText(bytes.total)}
          {isFinal ? '' : ` at ${rateText(bytes.perSecond)}`}
        </li>
        {originCopies.copies !== null && (
          <li>
            <span className="faint">Copies from the origin</span>
            {copiesText(originCopies.copies, originCopies.allowed)}
          </li>
        )}
        {!isFinal && (
          <li>
            <span className="faint">Ready in</span>
            {durationText(etaMsOf(rollout))}
          </li>
        )}
        <li>
          <span className="faint">{isFinal ? 'Took' : 'Runs for'}</span>
          {tookText(rollout, now)}
        </li>
        {isFinal ? <Step name="Ended" at={rollout.endedAt} /> : <Step name="Deadline" at={rollout.deadlineAt} />}
      </ol>
    </Section>
  );
}

const Step = ({ name, at }: { readonly name: string; readonly at: string | null }) => (
  <li>
    <span className="faint">{name}</span>
    <When at={at} />
  </li>
);

function Spec({ rollout }: { readonly rollout: Rollout }) {
  const json = `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(rollout, null, 2))}`;
  return (
    <Section
      title="What was asked for"
      beside={
        <a href={json} download={`rollout-${rollout.id}.json`}>
          Download JSON
        </a>
      }
    >
      <Facts
        facts={[
          ['Id', <code key="id">{rollout.id}</code>],
          ['Selector', <code key="selector">{rollout.selector || 'all hosts'}</code>],
          ['Excluded', rollout.exclude.length === 0 ? 'none' : rollout.exclude.join(', ')],
          ['Offline hosts', rollout.offline],
          ['When success is out of reach', rollout.onFailure],
          ['Mode', rollout.mode ?? 'shown as soon as the last file is there'],
          ['Copies from the origin', `at most ${rollout.originCopies.allowed} while other hosts can give it`],
          ['Priority', rollout.priority === null ? 'before all numbers' : String(rollout.priority)],
          ['Deadline', <When key="deadline" at={rollout.deadlineAt} />],
        ]}
      />
      <h3>Models</h3>
      <ul>
        {rollout.models.map(({ name, version, files, sizeBytes }) => (
          <li key={name}>
            <Link to={`/models/${encodeURIComponent(name)}`}>
              {name}@{version}
            </Link>
            : {several(files, 'file')}, {bytesText(sizeBytes)}
          </li>
        ))}
      </ul>
      <h3>Waves</h3>
      <ol>
        {rollout.waves.map(({ name, hosts, percent, gate, soakMs }, index) => (
          <li key={index}>
            {name}: {hosts === null ? `${percent} %` : several(hosts, 'host')}, gate {gate}
            {soakMs > 0 && `, soak ${durationText(soakMs)}`}
          </li>
        ))}
      </ol>
    </Section>
  );
}
