import type { Layer } from '#core/layer';
import type { ResponseHead } from '#core/source';
import type { ByteLimit } from '../report/throttle.ts';
import type { FileShare, TryRecord } from '../report/transfer-options.ts';
import type { Consequences } from './consequences.ts';
import type { FileLayout } from './first-byte-reads.ts';
import type { SourceState } from './source-state.ts';

/** What a crew works with. */
export interface CrewOptions {
  /** Ranked, of all layers, in the order of the layers. */
  readonly states: readonly SourceState[];
  readonly layers: readonly Layer[];
  readonly joinsAllLayers: boolean;
  /** Shared by all crews of a transfer. */
  readonly consequences: Consequences;
  readonly connections: number;
  readonly throttlesOf: (state: SourceState) => readonly ByteLimit[];
  /** False when neither a digest nor leaves prove the bytes: then they come from one source, in one stream. */
  readonly isProvable: boolean;
  /** Divides the file between hosts. */
  readonly share: FileShare | undefined;
  /** Names the file in messages. */
  readonly what: string;
  readonly now: () => number;
  /** What is on the disk. */
  readonly layout: FileLayout;
  onHead(state: SourceState, head: ResponseHead): void;
  onTry(record: TryRecord): void;
  onTick(): void;
}
