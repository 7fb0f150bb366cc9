import type { DigestAlgorithm } from '#core/file-spec';
import type { Logger } from '#core/logger';
import type { FileOperations } from '../disk/file-operations.ts';
import type { Partial } from '../disk/partial.ts';
import type { SourceState } from './source-state.ts';
import type { TransferOptions } from '../report/transfer-options.ts';

/** What every part of one transfer works with. */
export interface RunParts {
  readonly options: TransferOptions;
  readonly operations: FileOperations;
  readonly partial: Partial;
  /** Of all layers, ranked; a source's index stands on the board and in the journal. */
  readonly states: readonly SourceState[];
  readonly logger: Logger;
  readonly now: () => number;
}

/** Whether anything will ever prove the bytes. */
export const isProvable = ({ file, table }: Pick<TransferOptions, 'file' | 'table'>): boolean =>
  table !== undefined || Object.keys(file.digests).length > 0;

/** What is computed of the whole file: SHA-256 always, and whatever its identity names. */
export const algorithmsOf = ({ file }: Pick<TransferOptions, 'file'>): DigestAlgorithm[] => [
  ...new Set<DigestAlgorithm>(['sha256', ...(Object.keys(file.digests) as DigestAlgorithm[])]),
];
