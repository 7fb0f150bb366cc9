import { nextSteps, type RolloutSnapshot, type RolloutStep } from '#core/rollout/next-steps';
import type { RolloutPolicy } from '#core/rollout/rollout-spec';
import { isFinalRollout, nextRolloutState, type PauseReason, type RolloutState } from '#core/rollout/rollout-state';
import type { VerdictCounts } from '#core/rollout/verdict';
import { rampLimit } from '#core/rollout/wave-size';

interface Host {
  readonly site: string;
  wave: number | undefined;
  state: 'idle' | 'offline' | 'active' | 'staged' | 'activating' | 'done' | 'failed';
}

/** What a simulated rollout meets beside its hosts. */
export interface Weather {
  /** Hosts wait for an activation when they have every file. */
  readonly activates: boolean;
  /** The window is closed in every second period of so many ticks; undefined is without windows. */
  readonly windowTicks: number | undefined;
  /** So many of a hundred ticks begin a time in which no source can be used. */
  readonly outages: number;
}

const isActive = ({ state }: Host): boolean => state === 'active' || state === 'staged' || state === 'activating';

const DEADLINE = 2_000;

/** Carries out the steps of a rollout over hosts that succeed, fail, leave and return as the dice say. */
export class SimulatedRollout {
  state: RolloutState = 'scheduled';
  readonly #hosts: Host[];
  readonly #policy: RolloutPolicy;
  readonly #dice: Iterator<number>;
  readonly #weather: Weather;
  /** No source can be used before this tick. */
  #outageUntil = 0;
  /** What the steps that are carried out were made of. */
  #seen: RolloutSnapshot | undefined;
  #now = 0;
  #wave = -1;
  #pauseReason: PauseReason | undefined;
  #soakUntil: number | undefined;
  #isGateOpen = false;
  #brake = { finished: 0, failed: 0 };

  constructor(policy: RolloutPolicy, hosts: number, dice: Iterator<number>, weather: Weather) {
    this.#weather = weather;
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
      this.#seen = this.#snapshot();
      const steps = nextSteps(this.#seen, this.#now);
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
      active: opened.filter((host) => host.site === site && isActive(host)).length,
    }));
    return {
      state: this.state,
      pauseReason: this.#pauseReason,
      policy: this.#policy,
      isApproved: true,
      deadlineAt: DEADLINE,
      isWindowOpen: this.#isWindowOpen(),
      isSourceUsable: this.#isSourceUsable(),
      wave: this.#wave,
      soakUntil: this.#soakUntil,
      isGateOpen: this.#isGateOpen,
      openedHosts: opened.length,
      counts: this.counts,
      inWave: {
        active: ofWave.filter(isActive).length,
        ready: inWave('idle'),
        succeeded: inWave('done'),
        failed: inWave('failed'),
      },
      brake: this.#brake,
      sites,
      staged: this.#count('staged'),
    };
  }

  #isWindowOpen(): boolean {
    const { windowTicks } = this.#weather;
    return windowTicks === undefined || Math.floor(this.#now / windowTicks) % 2 === 0;
  }

  /** As in the product: while no host works, nothing is known against the sources. */
  #isSourceUsable(): boolean {
    return this.#now >= this.#outageUntil || !this.#hosts.some(isActive);
  }

  #carryOut(step: RolloutStep): void {
    switch (step.do) {
      case 'move':
        return this.#move(step);
      case 'open-wave':
        return this.#open(step.wave, step.hosts);
      case 'dispatch':
        this.#expectRunning(step.do);
        return this.#dispatch(step.site, step.hosts);
      case 'activate':
        this.#expectRunning(step.do);
        if (step.hosts !== this.#count('staged')) throw new Error(`${step.hosts} hosts are not the staged ones`);
        for (const host of this.#hosts) if (host.state === 'staged') host.state = 'activating';
        return;
      case 'end-hosts':
        for (const host of this.#hosts) if (host.state !== 'done') host.state = 'failed';
    }
  }

  #move(step: Extract<RolloutStep, { do: 'move' }>): void {
    const next = nextRolloutState(this.state, step.event);
    if (next === undefined) throw new Error(`illegal: ${step.event} in ${this.state}`);
    if (step.pauseReason === 'threshold') this.#expectBraked();
    this.state = next;
    this.#pauseReason = step.pauseReason;
    this.#soakUntil = step.soakUntil ?? this.#soakUntil;
  }

  /** Nothing begins while the rollout is paused, its window is closed, or no source can be used. */
  #expectRunning(what: string): void {
    const { isWindowOpen, isSourceUsable } = this.#seen!;
    if (this.state !== 'running' || !isWindowOpen || !isSourceUsable)
      throw new Error(`${what}: ${this.state}, window open: ${isWindowOpen}, a source usable: ${isSourceUsable}`);
  }

  /** The limit of the abort brake, in exact fractions. */
  #expectBraked(): void {
    const { abort } = this.#policy;
    const { finished, failed } = this.#brake;
    const ofShare =
      abort?.failedShare !== undefined && BigInt(failed) * 10_000n >= BigInt(abort.failedShare * finished);
    const ofHosts = abort?.failedHosts !== undefined && failed >= abort.failedHosts;
    if (abort === undefined || finished < abort.minSample || failed === 0 || !(ofShare || ofHosts))
      throw new Error(`braked at ${failed} of ${finished}`);
  }

  #open(wave: number, hosts: number): void {
    this.#expectRunning('open-wave');
    if (wave !== this.#wave + 1) throw new Error(`wave ${wave} after wave ${this.#wave}`);
    const busy = this.#hosts.filter((host) => host.wave === this.#wave && (isActive(host) || host.state === 'idle'));
    if (this.#wave >= 0 && busy.length > 0) throw new Error(`a wave opens while ${busy.length} hosts of the last work`);
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
    const active = this.#hosts.filter(isActive);
    const atSite = active.filter((host) => host.site === site).length;
    if (active.length > global || atSite > perSite) throw new Error('a limit of concurrency is broken');
    const ofWave = this.#hosts.filter((host) => host.wave === this.#wave);
    const limit = rampLimit(this.#policy.waves[this.#wave]!, ofWave.filter((host) => host.state === 'done').length);
    if (ofWave.filter(isActive).length > limit) throw new Error('the ramp is broken');
  }

  /** What hosts and people do in a tick. */
  #outside(): void {
    if ((this.#dice.next().value as number) < this.#weather.outages) this.#outageUntil = this.#now + 10;
    for (const host of this.#hosts) this.#live(host, this.#dice.next().value as number);
    if (this.state === 'paused' && (this.#dice.next().value as number) < 50) this.#resume();
  }

  #live(host: Host, roll: number): void {
    if (host.state === 'idle' && roll < 5) host.state = 'offline';
    else if (host.state === 'offline' && roll < 20) host.state = 'idle';
    else if (host.state === 'activating' || (host.state === 'active' && this.#isSourceUsable())) this.#work(host, roll);
  }

  #work(host: Host, roll: number): void {
    if (roll >= 60) return;
    if (roll >= 50) this.#finish(host, 'failed');
    else if (host.state === 'active' && this.#weather.activates) host.state = 'staged';
    else this.#finish(host, 'done');
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
