import { z } from 'zod';
import { BOTTLENECKS } from '#core/swarm/swarm-bound';
import { Count, Limit, Moment } from './http/parameters.ts';
import { LeasedFrom, Piece } from './swarm.ts';

/*
 * Swarms as people see them: one file, and all of them.
 */

/** What entered one site. */
export const SwarmSite = z.strictObject({
  site: z.string(),
  hosts: Count,
  copies: z
    .number()
    .describe('what came from the origin, and by lease from other sites, divided by the length of the file'),
});

/** Files of versions that have this content. */
const Files = z
  .array(z.strictObject({ model: z.string(), version: z.string(), path: z.string() }))
  .describe('files of versions with this content, the newest version first; at most 5');

const SwarmHost = z.strictObject({
  host: z.string(),
  site: z.string(),
  state: z.enum(['leeching', 'seeding']),
  heldPieces: Count,
  have: z.string().describe('as in the header `Swarm-Have`'),
  leases: Count,
  isHidden: z.boolean().describe('other hosts, or those of all other sites, could not fetch from it'),
  beganAt: Moment,
  doneAt: Moment.nullable().describe('when it was first seen to have the whole file'),
  downBytesPerSecond: z.number().describe('the most that it reported'),
  upBytesPerSecond: z.number().describe('the most that it reported'),
  diskBound: z.boolean(),
});

/** The swarm of one file at this moment. */
export const SwarmView = z
  .strictObject({
    cid: z.string(),
    files: Files,
    sizeBytes: Count,
    pieceBytes: Count,
    pieces: Count,
    hosts: z.array(SwarmHost),
    leases: z.array(
      z.strictObject({
        host: z.string(),
        site: z.string(),
        piece: Piece,
        from: LeasedFrom,
        bytes: Count,
        sinceMs: Count,
        endsInMs: Count,
      }),
    ),
    replication: z
      .array(z.strictObject({ holders: Count, pieces: Count }))
      .describe('how many pieces so many hosts have; ascending by hosts'),
    rarest: z.array(z.strictObject({ piece: Piece, holders: Count })).describe('at most 10'),
    originCopies: z.number().describe('bytes that hosts took from the origin, divided by the length of the file'),
    originPausedMs: Count.describe(
      'how long no host is given a lease on the origin, because it asked for that; 0: not paused',
    ),
    sites: z.array(SwarmSite),
    elapsedMs: Count.describe(
      'from the first announce to the end of the last host that has the file; to now while one fetches it',
    ),
    boundMs: z
      .number()
      .nullable()
      .describe(
        'least possible time at the measured rates: max(S/U, S/min d, N·S/(U + Σu)); null before a rate is known',
      ),
    timesBound: z.number().nullable(),
    bottleneck: z.enum(BOTTLENECKS).nullable().describe('the term that is the greatest'),
  })
  .meta({ id: 'SwarmView' });

export type SwarmView = z.infer<typeof SwarmView>;

export const ListSwarmsQuery = z.strictObject({ limit: Limit });

const ListedSwarm = z.strictObject({
  cid: z.string(),
  files: Files,
  sizeBytes: Count,
  hosts: Count.describe('that fetch or give the file'),
  leechers: Count.describe('of them, that fetch it and that others can fetch from'),
  leases: Count.describe('pieces that are being fetched from the origin'),
  originCopies: z.number().describe('bytes that hosts took from the origin, divided by the length of the file'),
  announcedAt: Moment.describe('of the last announce, to a few seconds'),
});

/** Swarms that a host announced to lately. */
export const SwarmList = z
  .strictObject({
    swarms: z.array(ListedSwarm).describe('those that most hosts fetch first'),
    total: Count.describe('of all swarms that are known, at most 1000'),
  })
  .meta({ id: 'SwarmList' });

export type SwarmList = z.infer<typeof SwarmList>;
