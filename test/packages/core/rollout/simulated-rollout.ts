import { nextSteps, type RolloutSnapshot, type RolloutStep } from '#core/rollout/next-steps';
import type { RolloutPolicy } from '#core/rollout/rollout-spec';
import { isFinalRollout, nextRolloutState, type PauseReason, type RolloutState } from '#core/rollout/rollout-state';
import type { VerdictCounts } from '#core/rollout/verdict';
import { rampLimit } from '#core/rollout/wave-size';

interface Host {
  readonly site: string;
  wave: number | undefined;
  state: 'idle' | 'offline' | 'active' | 'done' | 'failed';
}

const DEADLINE = 2_000;

/** Carries out the steps of a rollout over hosts that succeed, fail, leave and return as the dice say. */
export class SimulatedRollout {
  state: RolloutState = 'scheduled';
  readonly #hosts: Host[];
  readonly #policy: RolloutPolicy;
  readonly #dice: Iterator<number>;
  #now = 0;
  #wave = -1;
  #pauseReason: PauseReason | undefined;
  #soakUntil: number | undefined;
  #isGateOpen = false;
  #brake = { finished: 0, failed: 0 };

  constructor(policy: RolloutPolicy, hosts: number, dice: Iterator<number>) {
    this.#policy = policy;
    this.#dice = dice;
    this.#hosts = Array.from({ length: hosts }, (_, index) => ({
      site: `site-${index % 3}`,
      wave: undefined,
      state: 'idle' as const,
    }));
  }

  get counts(): VerdictCounts {
    return { targeted: this.#hosts.length, succeeded: this.#count('done'), failed: this.#count('failed') };
  }

  /** @throws Error when a limit is broken or the rollout is not final after so many ticks */
  run(ticks: number): void {
    for (; this.#now < ticks && !isFinalRollout(this.state); this.#now += 1) {
      this.#settle();
      this.#outside();
    }
    if (!isFinalRollout(this.state)) throw new Error(`still ${this.state} after ${ticks} ticks`);
  }

  /** Carrying out and asking again must come to rest. */
  #settle(): void {
    for (let round = 0; round < 20; round += 1) {
      const steps = nextSteps(this.#snapshot(), this.#now);
      if (steps.length === 0) return;
      for (const step of steps) this.#carryOut(step);
    }
    throw new Error('the steps do not come to rest');
  }

  #snapshot(): RolloutSnapshot {
    const ofWave = this.#hosts.filter((host) => host.wave === this.#wave);
    const inWave = (state: Host['state']) => ofWave.filter((host) => host.state === state).length;
    const opened = this.#hosts.filter((host) => host.wave !== undefined);
    const sites = [...new Set(this.#hosts.map((host) => host.site))].map((site) => ({
      site,
      ready: opened.filter((host) => host.site === site && host.state === 'idle').length,
      active: opened.filter((host) => host.site === site && host.state === 'active').length,
    }));
    return {
      state: this.state,
      pauseReason: this.#pauseReason,
      policy: this.#policy,
      isApproved: true,
      deadlineAt: DEADLINE,
      isWindowOpen: true,
      isSourceUsable: true,
      wave: this.#wave,
      soakUntil: this.#soakUntil,
      isGateOpen: this.#isGateOpen,
      openedHosts: opened.length,
      counts: this.counts,
      inWave: {
        active: inWave('active'),
        ready: inWave('idle'),
        succeeded: inWave('done'),
        failed: inWave('failed'),
      },
      brake: this.#brake,
      sites,
    };
  }

  #carryOut(step: RolloutStep): void {
    switch (step.do) {
      case 'move': {
        const next = nextRolloutState(this.state, step.event);
        if (next === undefined) throw new Error(`illegal: ${step.event} in ${this.state}`);
        this.state = next;
        this.#pauseReason = step.pauseReason;
        this.#soakUntil = step.soakUntil ?? this.#soakUntil;
        return;
      }
      case 'open-wave':
        return this.#open(step.wave, step.hosts);
      case 'dispatch':
        return this.#dispatch(step.site, step.hosts);
      case 'end-hosts':
        for (const host of this.#hosts) if (host.state !== 'done') host.state = 'failed';
    }
  }

  #open(wave: number, hosts: number): void {
    const left = this.#hosts.filter((host) => host.wave === undefined);
    if (hosts < 1 || hosts > left.length) throw new Error(`a wave of ${hosts} of ${left.length} hosts`);
    for (const host of left.slice(0, hosts)) host.wave = wave;
    this.#wave = wave;
    this.#soakUntil = undefined;
    this.#isGateOpen = false;
    this.#brake = { finished: 0, failed: 0 };
  }

  #dispatch(site: string, hosts: number): void {
    const ready = this.#hosts.filter((host) => host.site === site && host.wave !== undefined && host.state === 'idle');
    if (hosts > ready.length) throw new Error(`${hosts} of ${ready.length} ready hosts`);
    for (const host of ready.slice(0, hosts)) host.state = 'active';
    const { global = Infinity, perSite = Infinity } = this.#policy.concurrency;
    const active = this.#hosts.filter((host) => host.state === 'active');
    const atSite = active.filter((host) => host.site === site).length;
    if (active.length > global || atSite > perSite) throw new Error('a limit of concurrency is broken');
    const ofWave = this.#hosts.filter((host) => host.wave === this.#wave);
    const limit = rampLimit(this.#policy.waves[this.#wave]!, ofWave.filter((host) => host.state === 'done').length);
    if (ofWave.filter((host) => host.state === 'active').length > limit) throw new Error('the ramp is broken');
  }

  /** What hosts and people do in a tick. */
  #outside(): void {
    for (const host of this.#hosts) {
      const roll = this.#dice.next().value as number;
      if (host.state === 'active' && roll < 60) this.#finish(host, roll < 50 ? 'done' : 'failed');
      else if (host.state === 'idle' && roll < 5) host.state = 'offline';
      else if (host.state === 'offline' && roll < 20) host.state = 'idle';
    }
    if (this.state === 'paused' && (this.#dice.next().value as number) < 50) this.#resume();
  }

  #finish(host: Host, state: 'done' | 'failed'): void {
    host.state = state;
    if (host.wave !== this.#wave) return;
    this.#brake.finished += 1;
    if (state === 'failed') this.#brake.failed += 1;
  }

  #resume(): void {
    this.state = 'running';
    this.#isGateOpen ||= this.#pauseReason === 'gate';
    this.#brake = { finished: 0, failed: 0 };
  }

  #count(state: Host['state']): number {
    return this.#hosts.filter((host) => host.state === state).length;
  }
}
