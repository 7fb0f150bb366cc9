import { SourceError } from '#core/failure';
import type { Layer } from '#core/layer';
import type { Logger } from '#core/logger';
import { backoffMs, decide, type Budget, type Decision } from '#core/policy';
import { afterConnectionLimit, holdConnections, originAnswer } from '../plan/connections.ts';
import type { SourceState } from './source-state.ts';

export interface ConsequencesOptions {
  /** The sources of all layers. */
  readonly states: readonly SourceState[];
  readonly budgets: Readonly<Record<Layer, Budget>>;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: () => number;
}

/** What the policy needs beside the failure. */
export interface FailureSituation {
  /** Other sources of the layer that may still be asked. */
  readonly otherSources: number;
  /** Another layer has a source that may still be asked. */
  readonly hasOtherLayer: boolean;
  /** Corrupt bytes were found leaf by leaf, so only the source that sent them is suspect. */
  readonly isProvenByLeaves: boolean;
}

/** Asks the policy what follows a failure, and applies it: the source pauses, or is not asked again. */
export class Consequences {
  readonly #options: ConsequencesOptions;
  /** Changes of source because of corrupt bytes, by layer. */
  readonly #corruptionSwitches = new Map<Layer, number>();

  constructor(options: ConsequencesOptions) {
    this.#options = options;
  }

  /** @returns the decision, for the record of the try */
  afterFailure(state: SourceState, thrown: SourceError, situation: FailureSituation): Decision {
    const { logger, now } = this.#options;
    const decision =
      afterConnectionLimit(state, thrown, now()) ?? this.#afterFailure(state, originAnswer(thrown), situation);
    const { kind, message } = thrown;
    logger.info({ source: state.source.name, kind, message, decision }, 'try failed');
    return decision;
  }

  #afterFailure(state: SourceState, error: SourceError, situation: FailureSituation): Decision {
    if (error.kind === 'throttled' && state.mode === 'range') holdConnections(state, this.#options.now());
    state.recordFailure(error);
    state.failuresInARow += 1;
    if (error.kind === 'digest-mismatch') this.#countSwitch(state.source.layer);
    const decision = this.#decide(state, error, situation);
    this.#carryOut(decision, state);
    return decision;
  }

  /** The whole file is wrong and came from this source alone. After too many such sources the whole layer is not asked again. */
  convict(culprit: SourceState, message: string): void {
    const { layer, name } = culprit.source;
    culprit.recordFailure(new SourceError('digest-mismatch', name, message));
    culprit.leave('it sent corrupt bytes');
    const switches = this.#countSwitch(layer);
    if (switches > this.#options.budgets[layer].corruptionSwitches)
      this.#leaveLayer(layer, `corrupt bytes from ${switches} sources of this layer`);
  }

  #countSwitch(layer: Layer): number {
    const switches = (this.#corruptionSwitches.get(layer) ?? 0) + 1;
    this.#corruptionSwitches.set(layer, switches);
    return switches;
  }

  #decide(state: SourceState, error: SourceError, situation: FailureSituation): Decision {
    const { otherSources, hasOtherLayer, isProvenByLeaves } = situation;
    const { layer } = state.source;
    const kind = error.kind === 'aborted' ? 'interrupted' : error.kind;
    const corruptionSwitches = isProvenByLeaves ? 0 : (this.#corruptionSwitches.get(layer) ?? 0);
    return decide(
      { kind, retryAfterMs: error.retryAfterMs },
      { failuresInARow: state.failuresInARow, corruptionSwitches, otherSources, hasOtherLayer },
      this.#options.budgets[layer],
      this.#options.random(),
    );
  }

  #carryOut(decision: Decision, state: SourceState): void {
    const { now, random, budgets } = this.#options;
    const { layer } = state.source;
    if (decision.do === 'retry-same') state.pausedUntil = now() + decision.afterMs;
    else if (decision.do === 'next-layer') this.#leaveLayer(layer, decision.reason);
    else if (decision.do === 'next-source' && decision.again)
      state.pausedUntil = now() + backoffMs(state.failuresInARow, budgets[layer], random());
    else state.leave(decision.reason);
  }

  #leaveLayer(layer: Layer, reason: string): void {
    for (const state of this.#options.states) if (state.source.layer === layer) state.leave(reason);
  }
}
