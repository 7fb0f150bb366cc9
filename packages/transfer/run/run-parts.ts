import type { DigestAlgorithm } from '#core/file-spec';
import type { Logger } from '#core/logger';
import type { FileOperations } from '../disk/file-operations.ts';
import type { Partial } from '../disk/partial.ts';
import type { SourceState } from './source-state.ts';
import type { TransferOptions } from '../report/transfer-options.ts';

/** Shared by all parts of one transfer. */
export interface RunParts {
  readonly options: TransferOptions;
  readonly operations: FileOperations;
  readonly partial: Partial;
  /**
   * The sources of all layers, ranked; the board and the journal refer to a source by its index here. Peers that join meanwhile are
   * added at the end.
   */
  readonly states: SourceState[];
  readonly logger: Logger;
  readonly now: () => number;
}

/** Whether a digest or leaves prove the bytes. */
export const isProvable = ({ file, table }: Pick<TransferOptions, 'file' | 'table'>): boolean =>
  table !== undefined || Object.keys(file.digests).length > 0;

/** Digests to compute of the whole file: SHA-256 always, and each algorithm that its identity names. */
export const algorithmsOf = ({ file }: Pick<TransferOptions, 'file'>): DigestAlgorithm[] => [
  ...new Set<DigestAlgorithm>(['sha256', ...(Object.keys(file.digests) as DigestAlgorithm[])]),
];
