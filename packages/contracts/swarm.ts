import { z } from 'zod';
import { PieceMap } from '#core/swarm/piece-map';
import { Cid, SizeBytes } from './file-spec.ts';
import { Count } from './http/parameters.ts';
import { HostName } from './worker/download-job.ts';

/*
 * The tracker of the API: hosts that fetch or have a file announce themselves, are told each other, and are leased pieces. A host asks the origin
 * only for pieces that are leased to it. Objects are not strict, because workers and the API may be of different releases.
 */

const MAX_FILES = 64;
const MAX_URLS = 8;
const MAX_REPORTS = 64;
/** Leases of one file that a host may hold at once. */
export const MAX_LEASES = 64;

/** One spelling, so that all hosts mean the same file. */
export const SwarmCid = z
  .string()
  .max(200)
  .regex(/^b[a-z2-7]{20,}$/, 'a file is named by its root CID: version 1, base32, such as bafybei…');

/** Number of a piece: piece i begins at i times the piece length, which follows from the length of the file (`pieceBytesOf`). */
export const Piece = z.number().int('a piece is a whole number').min(0, 'a piece is 0 or more');

/** `origin`: no host has it. `site`: hosts of other sites have it, and one host of this site fetches it from them. */
export const LeasedFrom = z.enum(['origin', 'site']);

/** What became of a lease since the last announce. */
const LeaseReport = z.object({
  id: z.string().min(1).max(100),
  piece: Piece,
  from: LeasedFrom,
  status: z
    .enum(['held', 'done', 'released', 'failed'])
    .describe(
      '`held`: it is being fetched; `done`: the piece is here and proven; `released`: it is not fetched any more; `failed`: the origin did not give it',
    ),
  bytes: Count.optional().describe(
    'of the piece that have arrived; a held lease on which nothing arrives is taken back',
  ),
  retryAfterMs: Count.optional().describe(
    'with `failed`: the pause that the origin asked for; no host is given a lease on it meanwhile',
  ),
});

/** Something that another host did. Each host is believed once about another one. */
const Blame = z.object({
  host: HostName,
  piece: Piece,
  reason: z
    .enum(['wrong-bytes', 'absent', 'unreachable'])
    .describe('`wrong-bytes`: a leaf was not what its CID says; `absent`: it offered a piece that it does not have'),
});

const AnnouncedFile = z
  .object({
    cid: SwarmCid,
    named: Cid.optional().describe(
      'the CID as the download of the host names it; left out where that is the same text',
    ),
    sizeBytes: SizeBytes.min(1, 'a file of a swarm has at least 1 byte'),
    state: z.enum(['leeching', 'seeding', 'gone']).describe('`gone`: the host neither fetches nor gives it any more'),
    have: z.string().max(4096).describe('pieces that are here and proven, as in the header `Swarm-Have`'),
    want: Count.max(MAX_LEASES, `at most ${MAX_LEASES} leases are held at once`)
      .default(0)
      .describe('how many leases the host wants to hold, those that it holds included'),
    leases: z
      .array(LeaseReport)
      .max(MAX_REPORTS)
      .default([])
      .describe('every lease that the host was given and has not ended'),
    originBytes: Count.optional().describe(
      'bytes that sources other than hosts sent for it in this transfer, wasted ones included; left out: its leases are counted instead',
    ),
    originPauseMs: Count.optional().describe(
      'how long every source of the file but hosts still has a pause that it asked a host of the fleet for; left out: one of them may be asked',
    ),
    transfer: z
      .object({
        beganMs: Count.describe('milliseconds since it began'),
        endedMs: Count.optional().describe('milliseconds since it ended'),
      })
      .optional()
      .describe(
        'with which the host fetches or fetched the file, so that a tracker that did not hear of it learns of it; left out: it had the file when it started',
      ),
    blame: z.array(Blame).max(MAX_REPORTS).default([]),
  })
  .superRefine(({ have, sizeBytes, leases, blame }, context) => {
    const map = PieceMap.parse(have, sizeBytes);
    if (map === undefined)
      context.addIssue({
        ...{ code: 'custom', path: ['have'] },
        message: `it is no map of the ${new PieceMap(sizeBytes).count} pieces of ${sizeBytes} bytes: one bit each in base64url, or "all"`,
      });
    const count = map?.count ?? Infinity;
    for (const [field, list] of Object.entries({ leases, blame }))
      list.forEach(({ piece }, index) => {
        if (piece < count) return;
        const message = `the file has the pieces 0 to ${count - 1} (got ${piece})`;
        context.addIssue({ code: 'custom', path: [field, index, 'piece'], message });
      });
  });

export type AnnouncedFile = z.infer<typeof AnnouncedFile>;

/** Pauses of one announce. */
export const MAX_PAUSES = 16;

/** A pause that an origin asked a host for, and that all hosts keep. */
export const SharedPause = z.object({
  origin: z
    .url({ protocol: /^https?$/, error: 'write scheme, host and port, such as https://hub.example' })
    .max(300)
    .describe('scheme, host and port of a server that is no host of the fleet'),
  bucket: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('the rate limit of the server that is used up; left out: the pause holds for every request'),
  ms: Count.describe('milliseconds that are left of it'),
});

const Rate = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

export const AnnounceBody = z
  .object({
    host: HostName.describe('the host of the token; a host announces only itself'),
    boot: z
      .string()
      .min(1)
      .max(100)
      .describe('another one after each start of the worker, which ends the leases of the start before'),
    urls: z
      .array(z.url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' }).max(300))
      .max(MAX_URLS)
      .describe('where other hosts reach its server, without a path; none: it cannot be reached'),
    rate: z
      .object({ downBytesPerSecond: Rate, upBytesPerSecond: Rate })
      .optional()
      .describe('over all transfers of the host, in the last seconds'),
    diskBound: z
      .boolean()
      .default(false)
      .describe('lately its downloads waited for its disk for more than half of the time'),
    isFetching: z
      .boolean()
      .default(false)
      .describe('it fetches files that are not announced, from outside of its site'),
    originPauses: z
      .array(SharedPause)
      .max(MAX_PAUSES, `at most ${MAX_PAUSES} pauses at once`)
      .default([])
      .describe(
        'pauses that servers asked this host for, by 429 or 503 with `Retry-After`; those of its own machine are left out',
      ),
    files: z.array(AnnouncedFile).max(MAX_FILES, `at most ${MAX_FILES} files at once`),
  })
  .refine(({ files }) => new Set(files.map(({ cid }) => cid)).size === files.length, {
    path: ['files'],
    error: 'each file stands there once',
  });

export type AnnounceBody = z.infer<typeof AnnounceBody>;
export type AnnounceInput = z.input<typeof AnnounceBody>;

const Lease = z.object({
  id: z.string(),
  piece: Piece,
  from: LeasedFrom,
  endsInMs: Count.describe('milliseconds from the answer; afterwards another host may be given the piece'),
});

export type SwarmLease = z.infer<typeof Lease>;

const SwarmPeer = z.object({
  host: z.string(),
  urls: z.array(z.string()).min(1),
  site: z.string(),
  have: z.string().describe('as in the header `Swarm-Have`'),
});

export type SwarmPeer = z.infer<typeof SwarmPeer>;

/** Why a host that wants leases is given fewer. */
const WAIT_REASONS = ['leased', 'held', 'paused', 'hidden', 'quarantined', 'foreign'] as const;

const AnsweredFile = z.object({
  cid: z.string(),
  leases: z.array(Lease).describe('all that the host holds now; one that is not here has ended'),
  peers: z.array(SwarmPeer).describe('to fetch from; those of the own site first'),
  leave: z
    .array(z.string())
    .default([])
    .describe('hosts to fetch nothing from now, because others could not, or got wrong bytes; some of them'),
  wait: z
    .enum(WAIT_REASONS)
    .nullable()
    .describe(
      'null: it has as many leases as it wants. `leased`: other hosts fetch what no host has, or as much of it as the origin is asked for at once. `held`: hosts have all pieces. `paused`: the origin asked for a pause. ' +
        '`hidden`: other hosts cannot fetch from it, so it gets its pieces from them. `quarantined`: it sent wrong bytes. ' +
        '`foreign`: no download of this file names the host',
    ),
});

export type AnsweredFile = z.infer<typeof AnsweredFile>;

export const Announced = z
  .object({
    intervalMs: Count.describe(
      'announce again after this; at once when a lease ended or more are wanted, at most once in 250 ms',
    ),
    site: z.string().describe('label `site` of the host as the API knows it; empty without one'),
    token: z
      .string()
      .nullable()
      .describe(
        'shows other hosts that this one may fetch the files; header `haulier-peer`. Null: none of the files may be fetched',
      ),
    tokenEndsInMs: Count,
    limits: z
      .object({
        outsideBytesPerSecond: z
          .number()
          .nullable()
          .describe('the part of the host in the limit of its site, for all that comes from outside; null: no limit'),
      })
      .optional(),
    originPauses: z
      .array(SharedPause)
      .optional()
      .describe('servers that asked some host of the fleet for a pause: no host sends them a request until it ends'),
    files: z.array(AnsweredFile),
  })
  .meta({ id: 'Announced' });

export type Announced = z.infer<typeof Announced>;

/** With which hosts check the peer tokens of others. */
export const SwarmKey = z
  .object({ publicKey: z.string().describe('Ed25519, 32 bytes in base64url') })
  .meta({ id: 'SwarmKey' });

export type SwarmKey = z.infer<typeof SwarmKey>;

export const SwarmParams = z.strictObject({ cid: z.string().max(200).describe('root CID of the file, in any form') });
