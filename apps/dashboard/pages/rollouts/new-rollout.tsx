import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import type { RolloutPlan } from '#contracts/http/rollouts/rollout';
import { api } from '../../data/api.ts';
import { curlLine, deployLine, EMPTY_FORM, rolloutRequestOf, type RolloutForm } from '../../data/forms/deploy-line.ts';
import { useHostFacets, useLive, useModels } from '../../data/queries.ts';
import { useMay, useSession } from '../../data/session/session.ts';
import { CommandLine } from '../../parts/text/copy.tsx';
import { useAct } from '../../parts/dialogs.tsx';
import { bytesText, countText, durationText, several } from '../../parts/text/format.tsx';
import { EmptyState, PageHead, Section } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

const FIELDS = Object.keys(EMPTY_FORM) as (keyof RolloutForm)[];

/** The form lives in the address: a prepared rollout can be sent to a colleague, and "Back" loses nothing. */
export function NewRollout() {
  const [query, setQuery] = useSearchParams();
  const form = formOf(query);
  const set = (change: Partial<RolloutForm>): void => {
    const next = { ...form, ...change };
    setQuery(
      Object.fromEntries(FIELDS.filter((name) => next[name] !== EMPTY_FORM[name]).map((name) => [name, next[name]])),
      { replace: true },
    );
  };
  return (
    <>
      <PageHead title="New rollout" lead="Sends one version of a model to every host that the selector matches now." />
      <div className="columns">
        <form className="stack" onSubmit={(event) => event.preventDefault()}>
          <What form={form} set={set} />
          <Where form={form} set={set} />
          <How form={form} set={set} />
        </form>
        <Plan form={form} />
      </div>
    </>
  );
}

const formOf = (query: URLSearchParams): RolloutForm =>
  Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? EMPTY_FORM[name]])) as unknown as RolloutForm;

interface BlockProps {
  readonly form: RolloutForm;
  readonly set: (change: Partial<RolloutForm>) => void;
}

function What({ form, set }: BlockProps) {
  const { data: models, error } = useModels();
  const { data: detail } = useLive(
    ['model', form.model, 'versions'],
    () => api.getModel(form.model),
    form.model !== '',
  );
  const versions = form.model === '' ? [] : (detail?.versions ?? []);
  const chosen = versions.find(({ version }) => version === (form.version || detail?.currentVersion));
  if (models?.length === 0)
    return (
      <Section title="What">
        <EmptyState
          title="There is no model yet."
          line="haulier model add whisper-base --hf onnx-community/whisper-base"
        >
          A model is published once, with the digests of its files; then it can go to any host.
        </EmptyState>
      </Section>
    );
  return (
    <Section title="What">
      {error !== null && <ProblemBox error={error} />}
      <div className="row">
        <label>
          Model
          <select
            className="box"
            value={form.model}
            onChange={({ target }) => set({ model: target.value, version: '' })}
          >
            <option value="">Choose…</option>
            {models?.map(({ name, type }) => (
              <option key={name} value={name}>
                {name} ({type})
              </option>
            ))}
          </select>
        </label>
        <label>
          Version
          <select
            className="box"
            value={form.version}
            onChange={({ target }) => set({ version: target.value })}
            disabled={form.model === ''}
          >
            <option value="">Current{detail?.currentVersion ? `: ${detail.currentVersion}` : ''}</option>
            {versions.map(({ version }) => (
              <option key={version} value={version}>
                {version}
              </option>
            ))}
          </select>
        </label>
      </div>
      {chosen !== undefined && (
        <p className="faint">
          {several(chosen.fileCount, 'file')}, {bytesText(chosen.sizeBytes)}
        </p>
      )}
    </Section>
  );
}

function Where({ form, set }: BlockProps) {
  const selector = useDeferredValue(form.selector);
  const { data: all } = useHostFacets();
  const { data: matched, error } = useHostFacets(selector);
  const suggestions = Object.entries(all?.labels ?? {}).flatMap(([key, values]) =>
    Object.keys(values).map((value) => `${key}=${value}`),
  );
  return (
    <Section title="Where">
      <label>
        Selector
        <span className="faint">
          Labels as in Kubernetes: <code>gpu=true,site in (eu-1,eu-2),!spare</code>, and <code>name~gpu-*</code>. Empty:
          every host.
        </span>
        <input
          className="box"
          value={form.selector}
          list="labels"
          placeholder="gpu=true"
          onChange={({ target }) => set({ selector: target.value })}
        />
        <datalist id="labels">
          {suggestions.map((suggestion) => (
            <option key={suggestion} value={suggestion} />
          ))}
        </datalist>
      </label>
      {error !== null ? (
        <ProblemBox error={error} />
      ) : (
        matched !== undefined && (
          <p role="status">
            {several(matched.total, 'host')} of {countText(all?.total)} match: {countText(matched.online)} online,{' '}
            {countText(matched.offline)} offline, {countText(matched.draining)} draining.
          </p>
        )
      )}
    </Section>
  );
}

function How({ form, set }: BlockProps) {
  const text = (
    name: 'threshold' | 'canary' | 'batch' | 'deadline' | 'priority' | 'originCopies',
    label: string,
    hint: string,
  ) => (
    <label>
      {label}
      <input
        className="box"
        value={form[name]}
        placeholder={hint}
        onChange={({ target }) => set({ [name]: target.value })}
      />
    </label>
  );
  return (
    <Section title="How">
      <div className="row">
        {text('threshold', 'Must succeed, % of hosts', '100')}
        {text('canary', 'First wave, hosts', 'none')}
        {text('batch', 'Waves of, hosts or %', 'all at once')}
        {text('deadline', 'Deadline', '24h')}
        {text('priority', 'Priority, 1 is first', 'before all')}
        {text('originCopies', 'Copies from the origin', '1')}
      </div>
      <div className="row">
        <Choice
          label="Offline hosts"
          value={form.offline}
          options={['wait', 'skip', 'fail']}
          choose={(offline) => set({ offline })}
        />
        <Choice
          label="When success is out of reach"
          value={form.onFailure}
          options={['stop', 'continue']}
          choose={(onFailure) => set({ onFailure })}
        />
        <Choice
          label="Mode"
          value={form.mode}
          options={['', 'download', 'activate']}
          choose={(mode) => set({ mode })}
          empty="show each file as it comes"
        />
      </div>
      <label className="inline">
        <input
          type="checkbox"
          checked={form.hold === 'true'}
          onChange={({ target }) => set({ hold: target.checked ? 'true' : '' })}
        />
        Hold: hosts that match later get it too, until the rollout is released
      </label>
    </Section>
  );
}

function Choice<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly Value[];
  readonly choose: (value: Value) => void;
  readonly empty?: string;
}) {
  return (
    <label>
      {props.label}
      <select className="box" value={props.value} onChange={({ target }) => props.choose(target.value as Value)}>
        {props.options.map((option) => (
          <option key={option} value={option}>
            {option === '' ? props.empty : option}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What would happen, the same as a command, and the start. */
function Plan({ form }: { readonly form: RolloutForm }) {
  const navigate = useNavigate();
  const mayWrite = useMay('write');
  const isKnown = useSession().state === 'signed-in';
  const asked = useDeferredValue(form);
  const plan = useQuery({
    queryKey: ['rollouts', 'plan', asked],
    queryFn: () => api.planRollout(rolloutRequestOf(asked)),
    enabled: asked.model !== '' && mayWrite,
  });
  const [key] = useState(() => crypto.randomUUID());
  const start = useAct(
    () => api.createRollout(rolloutRequestOf(form), key),
    ({ id }) => void navigate(`/rollouts/${id}`),
  );
  return (
    <Section title="Plan" className="plan">
      {form.model === '' && <p className="faint">Choose a model to see what would happen.</p>}
      {form.model !== '' && plan.error !== null && <ProblemBox error={plan.error} />}
      {form.model !== '' && plan.error === null && plan.data !== undefined && <PlanText plan={plan.data} />}
      {form.model !== '' && (
        <>
          <CommandLine text={deployLine(form)} what="the command line" />
          <details>
            <summary>The same with curl</summary>
            <CommandLine text={curlLine(form, globalThis.location.origin)} what="the curl command" />
          </details>
        </>
      )}
      {start.error !== undefined && <ProblemBox error={start.error} />}
      <div className="row">
        <button
          type="button"
          className="primary"
          disabled={!mayWrite || form.model === '' || start.isBusy}
          onClick={start.run}
        >
          Start
        </button>
        <button
          type="button"
          disabled={!mayWrite || form.model === '' || plan.isFetching}
          onClick={() => void plan.refetch()}
        >
          Dry run only
        </button>
        {isKnown && !mayWrite && <span className="faint">You may look, but not start rollouts.</span>}
      </div>
    </Section>
  );
}

function PlanText({ plan }: { readonly plan: RolloutPlan }) {
  const { hosts, offlineHosts, bytes, threshold, waves, hostsWithoutSpace, supersedes, estimateSeconds, sampleHosts } =
    plan;
  return (
    <div className="stack" role="status">
      <p>
        <strong>{several(hosts, 'host')}</strong> ({countText(offlineHosts)} offline), {bytesText(bytes.total)} in all,{' '}
        {bytesText(bytes.present)} there already, <strong>{bytesText(bytes.missing)} to fetch</strong>. Needs{' '}
        {countText(threshold.required)} to pass; {countText(threshold.allowedFailures)} may fail.
      </p>
      <p className="faint">
        {several(waves.length, 'wave')}: {waves.map((wave) => `${wave.name} ${wave.hosts}`).join(', ')}.
        {estimateSeconds !== null && ` About ${durationText(estimateSeconds * 1000)} at yesterday's rate.`} First:{' '}
        {sampleHosts.join(', ')}.
      </p>
      {hostsWithoutSpace.length > 0 && (
        <p className="tone-bad">
          {several(hostsWithoutSpace.length, 'host')} lack space:{' '}
          {hostsWithoutSpace
            .slice(0, 5)
            .map(({ host }) => host)
            .join(', ')}
        </p>
      )}
      {supersedes.length > 0 && (
        <p className="tone-warn">Takes hosts away from {several(supersedes.length, 'running rollout')}.</p>
      )}
    </div>
  );
}
