import { rank } from '#core/ranking';
import { SourceState } from '../run/source-state.ts';
import type { TransferOptions } from '../report/transfer-options.ts';

/** The sources of the wanted layers, layer by layer, each layer ranked (ME5). */
export function rankedStates(
  { sources, layers, health }: Pick<TransferOptions, 'sources' | 'layers' | 'health'>,
  now: number,
): SourceState[] {
  const ordered = layers.flatMap((layer) => {
    const own = sources.filter((source) => source.layer === layer);
    return rank(own.map((source) => ({ name: source.name, health: health?.(source) }))).map((ranked) => ({
      source: own[ranked.configuredIndex]!,
      why: ranked.why,
    }));
  });
  return ordered.map(({ source, why }, index) => new SourceState(source, index, why, now));
}
