import type { Headers } from '../http/exchange.ts';

/** Where an answer of the gateway stands. */
export interface Place {
  /** Canonical CIDs of the root and of each name of the path. */
  readonly roots: readonly string[];
  /** `/ipfs/CID/path`, percent-encoded as it was asked for. */
  readonly ipfsPath: string;
}

/** What a CID names never changes. */
export const IMMUTABLE = 'public, max-age=29030400, immutable';

/** Headers of every answer with content. A path in other letters than ASCII stays percent-encoded: headers cannot carry it. */
export const immutableHeaders = ({ roots, ipfsPath }: Place): Headers => ({
  'cache-control': IMMUTABLE,
  'x-content-type-options': 'nosniff',
  'x-ipfs-path': ipfsPath,
  'x-ipfs-roots': roots.join(','),
  'ipfs-uri': `ipfs://${ipfsPath.slice('/ipfs/'.length)}`,
});
