import { WHOLE, type WaveSpec } from './rollout-spec.ts';

/**
 * How many hosts a wave adds.
 *
 * @param targeted hosts of the rollout, opened or not, without skipped ones
 * @param opened hosts that earlier waves opened
 * @param isLast the last wave takes every host that is left
 * @returns at least 1 while a host is left, so that every wave makes progress
 */
export function waveHosts(wave: WaveSpec, targeted: number, opened: number, isLast: boolean): number {
  const left = targeted - opened;
  if (isLast) return left;
  const { size } = wave;
  const wanted = 'hosts' in size ? size.hosts : Math.ceil((size.share * targeted) / WHOLE) - opened;
  return Math.min(left, Math.max(1, wanted));
}

/** The most active hosts of a wave with a ramp. @param succeeded hosts of the wave that succeeded */
export function rampLimit({ ramp }: WaveSpec, succeeded: number): number {
  if (ramp === undefined) return Infinity;
  const steps = Math.floor(succeeded / ramp.everySuccesses);
  return Math.floor(ramp.base * ramp.factor ** steps);
}
