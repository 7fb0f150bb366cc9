import type { Layer } from '#core/layer';
import type { SpanBoard } from '../plan/span-board.ts';
import type { CrewOptions } from './crew-options.ts';
import type { SourceState } from './source-state.ts';

/** The sources that a transfer asks now or later: layer after layer, and peers beside every layer where hosts divide the file. */
export class JoinedSources {
  readonly #options: CrewOptions;
  #layers: number;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#layers = options.joinsAllLayers ? options.layers.length : 1;
  }

  get all(): SourceState[] {
    const { layers, share, states } = this.#options;
    const joined = layers.slice(0, this.#layers);
    // Hosts that divide a file exchange their parts from the beginning.
    const hasJoined = (layer: Layer): boolean => joined.includes(layer) || (layer === 'peer' && share !== undefined);
    return states.filter((state) => !state.isLeft && hasJoined(state.source.layer));
  }

  /** @returns false when every layer has joined */
  joinNextLayer(): boolean {
    if (this.#layers >= this.#options.layers.length) return false;
    this.#layers += 1;
    return true;
  }

  /** Peers do not count where hosts divide a file: they are asked beside every layer. */
  isOfLayer = ({ source }: SourceState): boolean => this.#options.share === undefined || source.holds === undefined;

  /** A source has work to do, now or after its pause. @param board undefined while the length of the file is not known */
  hasWork(board: SpanBoard | undefined, counts: (state: SourceState) => boolean = () => true): boolean {
    return this.all.some((state) => counts(state) && (board === undefined || board.hasWorkFor(state.index)));
  }

  /** @returns milliseconds until the first pause of a source ends; undefined where none is paused */
  firstPauseMs(now: number): number | undefined {
    const pauses = this.all.flatMap(({ pausedUntil }) => (pausedUntil > now ? pausedUntil - now : []));
    return pauses.length > 0 ? Math.max(1, Math.ceil(Math.min(...pauses))) : undefined;
  }
}
