import { useState, type ReactNode, type Ref } from 'react';
import type { ListedSource } from '#contracts/http/sources';
import { api } from '../../data/api.ts';
import { useMay } from '../../data/session/session.ts';
import { ActButton, DialogForm, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { TextField } from '../../parts/fields.tsx';
import { bytesText, countText, durationText, percentText, rateText, several, When } from '../../parts/text/format.tsx';
import { Facts } from '../../parts/page.tsx';
import { StateMark, untried } from '../../parts/marks/state-mark.tsx';

/** @param props.moves what changes its place in the order, for those who may */
export function SourceCard(props: {
  readonly source: ListedSource;
  readonly moves?: ReactNode;
  readonly ref?: Ref<HTMLElement>;
  readonly className?: string;
}) {
  const { source, moves, ref, className = '' } = props;
  const {
    origin,
    state,
    place,
    kind,
    reason,
    since,
    why,
    breakers,
    rateBudget,
    lastHour,
    lastDay,
    lastError,
    disabled,
  } = source;
  return (
    <article className={`card ${className}`} aria-label={origin} ref={ref}>
      <div className="card-head">
        <div className="row">
          {moves}
          <h3 className="row">
            <span className="faint">{place}.</span> {origin}{' '}
            <StateMark state={state} note={reason} {...untried(state)} />
          </h3>
        </div>
        <SourceActions source={source} />
      </div>
      {disabled === null ? (
        <p className="faint">
          {reason}
          {since !== null && (
            <>
              {' '}
              (since <When at={since} />)
            </>
          )}
          . Order: {why}.
        </p>
      ) : (
        <p className="notice">
          Disabled by {disabled.by} <When at={disabled.at} />
          {disabled.until === null ? (
            ', until it is enabled'
          ) : (
            <>
              , until <When at={disabled.until} />
            </>
          )}
          : {disabled.note}
        </p>
      )}
      <Facts
        facts={[
          ['Kind', kind],
          ['Success, 1 h / 24 h', `${percentText(lastHour.successRate)} / ${percentText(lastDay.successRate)}`],
          ['Tries, 1 h / 24 h', `${countText(lastHour.tries)} / ${countText(lastDay.tries)}`],
          ['Time of a try in 1 h, p50 / p95', `${durationText(lastHour.p50Ms)} / ${durationText(lastHour.p95Ms)}`],
          ['Time of a try in 24 h, p50 / p95', `${durationText(lastDay.p50Ms)} / ${durationText(lastDay.p95Ms)}`],
          ['Rate', rateText(source.bytesPerSecond)],
          ['Bytes of 24 h', `${bytesText(lastDay.bytes)} (${percentText(source.shareOfBytes)} of all)`],
          [
            'Breaker',
            breakers.open > 0 ? (
              <span key="breaker" className="tone-bad">
                open at {several(breakers.open, 'worker')}, until <When at={breakers.openUntil} />
              </span>
            ) : breakers.closed + breakers.halfOpen === 0 ? (
              'no worker reports it'
            ) : (
              `closed at ${several(breakers.closed, 'worker')}`
            ),
          ],
          [
            'Asked to wait',
            rateBudget.waitMs > 0
              ? `${durationText(rateBudget.waitMs)} (Retry-After)`
              : `no${rateBudget.requestsPerMinute === null ? '' : `; takes ${rateBudget.requestsPerMinute} requests a minute`}`,
          ],
        ]}
      />
      {lastError !== null && <p className="error-text">Last failure: {lastError}</p>}
    </article>
  );
}

function SourceActions({ source: { id, origin, disabled } }: { readonly source: ListedSource }) {
  const [result, setResult] = useState<string>();
  const mayWrite = useMay('write');
  if (!mayWrite) return null;
  const test = async (): Promise<void> => {
    const { reachable, status, ms, message } = await api.testSource(id);
    setResult(
      `${reachable ? 'Reached' : 'Not reached'} in ${durationText(ms)}${status === null ? '' : `, status ${status}`}: ${message}`,
    );
  };
  return (
    <span className="row">
      <span role="status">{result}</span>
      <ActButton label="Test now" act={test} />
      {disabled === null ? (
        <FormDialog open="Disable" title={`Disable ${origin}?`}>
          {(close) => <DisableForm id={id} close={close} />}
        </FormDialog>
      ) : (
        <ActButton label="Enable" className="primary" act={() => api.enableSource(id)} />
      )}
    </span>
  );
}

function DisableForm({ id, close }: { readonly id: string; readonly close: () => void }) {
  const [note, setNote] = useState('');
  const [expiresIn, setExpiresIn] = useState('2h');
  const act = useAct(() => api.disableSource(id, { note, ...(expiresIn === '' ? {} : { expiresIn }) }), close);
  return (
    <DialogForm verb="Disable" isDangerous act={act} close={close}>
      <p>Workers stop asking it. Files that only it has will not arrive until it is enabled again.</p>
      <TextField label="Why, for those who find it disabled" value={note} change={setNote} required />
      <TextField label="Enable again by itself after" value={expiresIn} change={setExpiresIn} placeholder="never" />
    </DialogForm>
  );
}
