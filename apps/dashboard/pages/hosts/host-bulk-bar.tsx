import { useState, type ReactNode } from 'react';
import type { HostFilter } from '#client/overview-client';
import type { HostActionInput, HostActionResult } from '#contracts/http/hosts';
import { api } from '../../data/api.ts';
import { parseLabelChanges } from '../../data/forms/label-lines.ts';
import { useLive } from '../../data/queries.ts';
import { ConfirmButton, DialogForm, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { countText, several } from '../../parts/text/format.tsx';

type Action = HostActionInput['action'];

interface BulkBarProps {
  readonly chosen: ReadonlySet<string>;
  readonly clear: () => void;
  /** Number of hosts that the filter of the page matches. */
  readonly matching: number;
  readonly filter: HostFilter;
}

/** Acts on the chosen hosts, or on all that the filter matches; the API counts exactly what each act would do. */
export function HostBulkBar({ chosen, clear, matching, filter }: BulkBarProps) {
  const [isAll, setAll] = useState(false);
  const [result, setResult] = useState<HostActionResult>();
  const hosts = isAll ? filterOrEvery(filter) : { names: [...chosen] };
  const count = isAll ? matching : chosen.size;
  const done = (outcome: HostActionResult): void => {
    setResult(outcome);
    setAll(false);
    clear();
  };
  if (chosen.size === 0) return result === undefined ? null : <Outcome result={result} />;
  return (
    <div className="bulk" role="group" aria-label="Act on hosts">
      <strong>{several(count, 'host')}</strong>
      {matching > chosen.size && (
        <label className="inline">
          <input type="checkbox" checked={isAll} onChange={({ target }) => setAll(target.checked)} /> all{' '}
          {countText(matching)} that match the filter
        </label>
      )}
      {ACTS.map(({ action, verb, follows, isDangerous = false }) => (
        <ConfirmButton
          key={action}
          verb={verb}
          subject={several(count, 'host')}
          count={count}
          isDangerous={isDangerous}
          consequence={<Plan action={action} hosts={hosts} follows={follows} />}
          act={async () => done(await api.actOnHosts({ action, hosts }))}
        />
      ))}
      <FormDialog open="Set labels" title={`Labels of ${several(count, 'host')}`}>
        {(close) => <LabelsForm hosts={hosts} close={close} done={done} />}
      </FormDialog>
      <button type="button" className="quiet" onClick={clear}>
        Clear the choice
      </button>
    </div>
  );
}

const ACTS: readonly {
  readonly action: Action;
  readonly verb: string;
  readonly follows: string;
  readonly isDangerous?: boolean;
}[] = [
  {
    action: 'drain',
    verb: 'Drain',
    follows: 'Rollouts do not begin with them until they are undrained; what runs goes on.',
  },
  { action: 'undrain', verb: 'Undrain', follows: 'Rollouts may begin with them again.' },
  {
    action: 'verify',
    verb: 'Verify',
    follows: 'Each worker hashes what it has; damaged files are quarantined and fetched again.',
  },
  {
    action: 'forget',
    verb: 'Forget',
    follows: 'What is still wanted there is cancelled. A worker that comes back is a new host.',
    isDangerous: true,
  },
];

/** An empty filter would be refused: that every host is meant has to be said. */
const filterOrEvery = (filter: HostFilter): HostActionInput['hosts'] =>
  Object.values(filter).some((value) => value !== undefined) ? filter : { selector: '' };

/** What the act would do, asked when its question is opened. */
function Plan(props: {
  readonly action: Action;
  readonly hosts: HostActionInput['hosts'];
  readonly follows: ReactNode;
}) {
  const { action, hosts, follows } = props;
  const { data, error } = useLive(['hosts', 'plan', action, hosts], () => api.planHostAction({ action, hosts }));
  return (
    <>
      <p>{follows}</p>
      {error !== null && <ProblemBox error={error} />}
      <p role="status">{data === undefined ? 'Counting…' : countsText(data)}</p>
      {data !== undefined && <SkippedHosts result={data} />}
    </>
  );
}

function countsText({ dryRun, counts }: HostActionResult): string {
  const { matched, changed, unchanged, skipped } = counts;
  const left = [
    ...(unchanged > 0 ? [`${countText(unchanged)} stood so already`] : []),
    ...(skipped > 0 ? [`${countText(skipped)} cannot be`] : []),
  ].join(', ');
  return `${countText(changed)} of ${several(matched, 'host')} ${dryRun ? 'will be changed' : 'changed'}${left && `; ${left}`}.`;
}

const NAMED = 5;

function SkippedHosts({ result: { skipped, counts } }: { readonly result: HostActionResult }) {
  if (counts.skipped === 0) return null;
  return (
    <ul>
      {skipped.slice(0, NAMED).map(({ host, reason }) => (
        <li key={host}>
          {host}: {reason}
        </li>
      ))}
      {counts.skipped > NAMED && <li>and {countText(counts.skipped - NAMED)} more</li>}
    </ul>
  );
}

const Outcome = ({ result }: { readonly result: HostActionResult }) => (
  <div className="bulk" role="status">
    <span>
      {result.action}: {countsText(result)}
    </span>
    <SkippedHosts result={result} />
  </div>
);

function LabelsForm(props: {
  readonly hosts: HostActionInput['hosts'];
  readonly close: () => void;
  readonly done: (result: HostActionResult) => void;
}) {
  const { hosts, close, done } = props;
  const [text, setText] = useState('');
  const act = useAct(
    async () => api.actOnHosts({ action: 'label', hosts, labels: parseLabelChanges(text) }),
    (result) => {
      close();
      done(result);
    },
  );
  return (
    <DialogForm verb="Set labels" act={act} close={close}>
      <label>
        One label a line, as key=value; -key takes a label away
        <textarea
          className="box"
          rows={5}
          value={text}
          required
          placeholder={'ring=canary\n-team'}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      <p className="faint">
        Labels that are not named stay. They win over the labels of the workers&apos; own configuration.
      </p>
    </DialogForm>
  );
}
