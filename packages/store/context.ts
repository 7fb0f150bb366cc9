import type { LeafTable } from '#content/leaf/leaf-table';
import type { Logger } from '#core/logger';
import type { Clock } from '#os/clock';
import type { StorePaths } from './layout.ts';
import type { PublishStep } from './blobs/publish-steps.ts';
import type { FileCalls } from '#os/file-calls';

/** `auto`: hard link, else reflink, else copy. `symlink` only by choice: some applications resolve or refuse them. */
export type LinkMode = 'auto' | 'symlink';

/** What is wrong with a published file, for the event `host.notice`. */
export interface StoreNotice {
  readonly notice: 'missing' | 'corrupt' | 'repaired' | 'store_over_limit' | 'evicted';
  readonly sha256: string | null;
  /** Models and paths that used the content; without a path it is about several files of the model. */
  readonly views: readonly { readonly model: string; readonly path: string | null }[];
  readonly message: string;
  /** For `store_over_limit`: the limit, in bytes. */
  readonly warnBytes?: number | undefined;
}

/** How the store reads leaf tables, which are opaque to it otherwise. */
export interface LeafReader {
  /** @returns undefined for bytes that are no leaf table */
  decode(bytes: Uint8Array): LeafTable | undefined;
  /** True when the bytes are leaf `index` of the file. */
  matches(table: LeafTable, index: number, bytes: Uint8Array): boolean;
}

/** What every part of an open store needs; made once by `openStore`. */
export interface StoreContext {
  readonly paths: StorePaths;
  readonly fs: FileCalls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly linkMode: LinkMode;
  readonly leaves: LeafReader;
  /** One spelling per CID, so that v0, v1 and every base find the same content. */
  readonly canonicalCid: (cid: string) => string;
  readonly onNotice: (notice: StoreNotice) => void;
  /** Told after each step of a publish: progress for logs, and the place where a test kills the process. */
  readonly onStep: (step: PublishStep) => void | Promise<void>;
  /** Digests hashed or published by this process: the others are hashed on first use. */
  readonly provenThisRun: Set<string>;
}
