import { useEffect, useState } from 'react';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { failedOf } from './rollout-bits.tsx';
import { wordOf } from './state-mark.tsx';

const STEPS = [25, 50, 75, 100];

/** Tells a screen reader of milestones alone: a quarter of the hosts, the first failure, the end. */
export function Milestones({ rollout }: { readonly rollout: Rollout }) {
  const reached = milestoneOf(rollout);
  const [first] = useState(reached);
  const [told, setTold] = useState('');
  useEffect(() => {
    if (reached !== first) setTold(reached);
  }, [reached, first]);
  return (
    <p role="status" className="skip">
      {told}
    </p>
  );
}

export function milestoneOf(rollout: Pick<Rollout, 'counts' | 'isFinal' | 'state'>): string {
  const { counts, isFinal, state } = rollout;
  if (isFinal) return `The rollout ended: ${wordOf(state)}`;
  const percent = counts.targeted === 0 ? 0 : (100 * counts.succeeded) / counts.targeted;
  const step = STEPS.filter((each) => percent >= each).at(-1);
  const failed = failedOf(rollout) > 0 ? 'Hosts have failed' : '';
  return [step === undefined ? '' : `${step} percent of the hosts succeeded`, failed].filter(Boolean).join('. ');
}
