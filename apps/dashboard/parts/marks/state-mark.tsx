import { Icon, type IconName } from '../text/icon.tsx';

export type Tone = 'ok' | 'running' | 'waiting' | 'paused' | 'warn' | 'bad' | 'off';

/** State words of downloads, rollouts, hosts in a rollout, hosts and layers; each word has one meaning everywhere. */
const TONES: Readonly<Record<string, Tone>> = {
  ...{
    pending: 'waiting',
    in_progress: 'running',
    resuming: 'running',
    paused: 'paused',
    success: 'ok',
    failed: 'bad',
  },
  ...{ cancelled: 'off', awaiting_approval: 'waiting', scheduled: 'waiting', running: 'running', soaking: 'running' },
  ...{ succeeded: 'ok', succeeded_with_failures: 'warn', timed_out: 'bad', superseded: 'off', offline: 'off' },
  ...{ queued: 'waiting', downloading: 'running', verifying: 'running', staged: 'running', activating: 'running' },
  ...{ done: 'ok', skipped: 'off', unknown: 'warn', online: 'ok', draining: 'paused' },
  ...{ healthy: 'ok', degraded: 'warn', down: 'bad', up: 'ok', ready: 'ok', not_ready: 'bad', failure: 'bad' },
  ...{ holding: 'running', present: 'ok', on_its_way: 'running', success: 'ok' },
  ...{ active: 'ok', expired: 'off', revoked: 'off', enrolled: 'ok', none: 'off', enabled: 'ok', disabled: 'off' },
  ...{ delivered: 'ok', ok: 'ok', missing: 'bad', corrupt: 'bad', extra: 'off', old: 'off', open: 'bad', closed: 'ok' },
};

export const toneOf = (state: string): Tone => TONES[state] ?? 'off';

/** Nothing but the underscores of a state word is changed. */
export const wordOf = (state: string): string => state.replaceAll('_', ' ');

const ICONS: Readonly<Record<Tone, IconName>> = {
  ...{ ok: 'ok', running: 'running', waiting: 'waiting', paused: 'paused', warn: 'warn', bad: 'bad', off: 'off' },
};

/** Icon, word and colour of a state. @param props.tone where the word says less than elsewhere, such as `unknown` of what was not tried */
export function StateMark(props: { readonly state: string; readonly note?: string | undefined; readonly tone?: Tone }) {
  const { state, note, tone = toneOf(state) } = props;
  return (
    <span className={`state tone-${tone}`} title={note}>
      <Icon name={ICONS[tone]} />
      {wordOf(state)}
    </span>
  );
}

/** A source or a layer of which nothing is known yet is no reason to worry. */
export const untried = (state: string): { tone?: Tone } => (state === 'unknown' ? { tone: 'off' } : {});
