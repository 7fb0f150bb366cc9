import { z } from 'zod';
import { HOST_NAME, HOST_NAME_RULE, hostKey } from '#core/text/host-name';
import { LAYER_NAMES } from '#core/layer';
import { JobFile } from '../file-spec.ts';
import { ModelName, ModelVersion } from '../manifest.ts';

/** The last place: BullMQ has room for about two millions. */
export const MAX_PRIORITY = 1_000_000;

/** How often a job went back to its queue in order. */
const JobWaits = z.strictObject({
  /** Starts that ended so: they are no crashes. */
  orderlyStarts: z.number().int().min(0),
  /** Waits for sources without a byte in between. */
  sourceWaitsInARow: z.number().int().min(0),
});

export type JobWaits = z.infer<typeof JobWaits>;

/**
 * The job that carries one file to one host. The payload is all a worker needs and nothing more: no secrets,
 * under 2 KB (docs/rules/queues.md). `generation` grows whenever the download is queued again, because BullMQ
 * ignores an `add` whose id it still knows.
 */
export const downloadJob = {
  name: 'download-file',
  maxPayloadBytes: 16 * 1024,
  payload: z.strictObject({
    version: z.literal(1),
    downloadId: z.uuid(),
    generation: z.number().int().min(1),
    /** Attempts of earlier generations since the last request of a user. */
    attemptsUsed: z.number().int().min(0).default(0),
    file: JobFile,
    model: z
      .strictObject({
        name: ModelName,
        type: z.string(),
        version: ModelVersion,
        /** The IPFS folder or block that the version was published as. */
        cid: z.string().max(300).optional(),
        /** Files of this version that the host is to have: its views change when the last of them is there. */
        fileCount: z.number().int().min(1).optional(),
        /** The version is stored, and shown only by an activation. */
        held: z.boolean().optional(),
        /** When the model's origin last told which version is its newest; milliseconds since 1970. */
        checkedAt: z.number().int().optional(),
      })
      .optional(),
    /** Order of the fallback chain for this download; the worker's own where it is left out. */
    layers: z.array(z.enum(LAYER_NAMES)).min(1).optional(),
    strategy: z.enum(['ordered', 'parallel']).optional(),
    /** Order among the jobs of the host: 1 is first; left out: before all numbers. */
    priority: z.number().int().min(1).max(MAX_PRIORITY).optional(),
    /** Until when unreachable sources are waited for; milliseconds since 1970. Without it they are not waited for. */
    deadlineAt: z.number().int().optional(),
    /** Kept by the worker that puts the job back. */
    waits: JobWaits.optional(),
    /** Most bytes per second for this download. */
    limitBytesPerSecond: z.number().int().min(1).optional(),
    /** Names the span that queued the job, where it is traced; see https://www.w3.org/TR/trace-context/. */
    traceparent: z.string().max(100).optional(),
  }),
  /** Parts join with '.', because BullMQ refuses ':' in custom ids. */
  id: (job: { downloadId: string; generation: number }): string => `${job.downloadId}.g${job.generation}`,
} as const;

export type DownloadJob = z.infer<typeof downloadJob.payload>;

/** `downloads` is the pool queue: workers without a host name share it. */
export const POOL_QUEUE = 'downloads';

/** Read in the form that names are compared in. */
export const HostName = z.string().regex(HOST_NAME, HOST_NAME_RULE).toLowerCase();

/** @returns the queue that only the named host consumes; without a name, the pool queue. */
export const queueOf = (host: string | undefined | null): string =>
  host ? `${POOL_QUEUE}.${hostKey(host)}` : POOL_QUEUE;

/** @returns the host of a queue, as names are compared; undefined for the queue of the pool, and for no queue of downloads */
export const hostOfQueue = (name: string): string | undefined =>
  name.startsWith(`${POOL_QUEUE}.`) ? hostKey(name.slice(POOL_QUEUE.length + 1)) : undefined;
