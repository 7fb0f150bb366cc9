import type { JobFile } from '#contracts/file-spec';
import type { DownloadStatus } from '#core/download-status';
import type { LayerName, Outcome } from '#core/layer';
import type { Strategy } from '#core/file-spec';
import { shownHostSql } from '../hosts/shown-host-sql.ts';

/** Why a download is paused: a person asked (`requested`), or its worker waits. */
type PauseReason = 'worker_shutdown' | 'disk_full' | 'sources_unavailable' | 'retry' | 'requested';

/** What one source contributed to a download that ended. */
export interface SourceShare {
  readonly source: string;
  readonly layer: LayerName;
  readonly bytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly errors: number;
}

/** One row of `downloads`. Sizes in bytes. */
export interface DownloadRow {
  readonly id: string;
  /** null: any worker of the pool. */
  readonly host: string | null;
  /** The host in the case that its worker has. */
  readonly shownHost: string | null;
  readonly model: string | null;
  readonly modelType: string | null;
  readonly version: string | null;
  readonly path: string;
  readonly cid: string | null;
  /** SHA-256: the expected one, and after success the proven one. */
  readonly hash: string | null;
  readonly contentKey: string;
  readonly file: JobFile;
  readonly layers: LayerName[] | null;
  readonly strategy: Strategy | null;
  readonly limitBytesPerSecond: number | null;
  /** Its version is shown only by an activation. */
  readonly isHeld: boolean;
  /** 1 is first; null goes before all numbers. */
  readonly priority: number | null;
  /** How long unreachable sources are waited for after a request, a resume or a loss. */
  readonly deadlineMs: number;
  readonly deadlineAt: Date;
  readonly status: DownloadStatus;
  readonly generation: number;
  readonly enqueuedGeneration: number;
  /** How often its lost job was queued again since the last request of a user. */
  readonly requeues: number;
  /** Runs that ever began. */
  readonly attempts: number;
  /** Attempts of earlier generations since the last request of a user; part of the job. */
  readonly attemptsBefore: number;
  /** Attempts since the last request of a user, this generation's included. */
  readonly attemptsUsed: number;
  readonly lastAttemptAt: Date | null;
  /** Verified bytes on the host's disk, as last reported. */
  readonly downloadedBytes: number;
  readonly totalBytes: number | null;
  /** Exact resume point at the last border of an attempt. */
  readonly currentSize: number;
  readonly resumedBytes: number;
  readonly wastedBytes: number;
  readonly bytesPerSecond: number;
  readonly retries: number;
  readonly source: string | null;
  readonly sources: SourceShare[] | null;
  readonly outcome: Outcome | null;
  readonly verified: boolean | null;
  readonly publishedPath: string | null;
  readonly pauseReason: PauseReason | null;
  /** Why the download has its status, as a sentence. */
  readonly reason: string | null;
  readonly retryAt: Date | null;
  readonly errorKind: string | null;
  readonly error: string | null;
  /** The worker's clock at the last event that was applied in this generation. */
  readonly eventAt: Date | null;
  /** Our clock at the last sign of life. */
  readonly heartbeatAt: Date | null;
  /** When a published file was found gone or damaged; null once it is there again. */
  readonly lostAt: Date | null;
  readonly lostAs: 'missing' | 'corrupt' | null;
  /** Its repair waits until fewer hosts of the site are being repaired. */
  readonly repairWaits: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** When a worker of the host was last heard of; null for the pool, and for a host that was never heard of. */
  readonly hostSeenAt: Date | null;
}

const COLUMN_BY_FIELD: Record<Exclude<keyof DownloadRow, 'file' | 'hostSeenAt' | 'shownHost'>, string> = {
  id: 'id',
  host: 'host',
  model: 'model',
  modelType: 'model_type',
  version: 'version',
  path: 'path',
  cid: 'cid',
  hash: 'hash',
  contentKey: 'content_key',
  layers: 'layers',
  strategy: 'strategy',
  limitBytesPerSecond: 'limit_bytes_per_second',
  isHeld: 'is_held',
  priority: 'priority',
  deadlineMs: 'deadline_ms',
  deadlineAt: 'deadline_at',
  status: 'status',
  generation: 'generation',
  enqueuedGeneration: 'enqueued_generation',
  requeues: 'requeues',
  attempts: 'attempts',
  attemptsBefore: 'attempts_before',
  attemptsUsed: 'attempts_used',
  lastAttemptAt: 'last_attempt_at',
  downloadedBytes: 'downloaded_bytes',
  totalBytes: 'total_bytes',
  currentSize: 'current_size',
  resumedBytes: 'resumed_bytes',
  wastedBytes: 'wasted_bytes',
  bytesPerSecond: 'bytes_per_second',
  retries: 'retries',
  source: 'source',
  sources: 'sources',
  outcome: 'outcome',
  verified: 'verified',
  publishedPath: 'published_path',
  pauseReason: 'pause_reason',
  reason: 'reason',
  retryAt: 'retry_at',
  errorKind: 'error_kind',
  error: 'error',
  eventAt: 'event_at',
  heartbeatAt: 'heartbeat_at',
  lostAt: 'lost_at',
  lostAs: 'lost_as',
  repairWaits: 'repair_waits',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  startedAt: 'started_at',
  completedAt: 'completed_at',
};

/** The file of `downloads d`; it is stored once for all hosts. */
export const FILE_COLUMN = '(SELECT s.file FROM file_specs s WHERE s.id = d.file_id) AS file';

const HOST_SEEN_COLUMN = '(SELECT h.last_seen_at FROM hosts h WHERE h.name = d.host) AS "hostSeenAt"';

/** What to select from `downloads d` to get a DownloadRow. */
export const DOWNLOAD_COLUMNS = [
  ...Object.entries(COLUMN_BY_FIELD).map(([field, column]) => `d.${column} AS "${field}"`),
  FILE_COLUMN,
  HOST_SEEN_COLUMN,
  `${shownHostSql('d.host')} AS "shownHost"`,
].join(', ');

/** The tag of what people decide about a download: where it stands, which start it is, and its limit. Progress does not change it. */
export const tagOf = ({ status, generation, pauseReason, limitBytesPerSecond }: DownloadRow): string =>
  `${status}.${generation}.${pauseReason ?? ''}.${limitBytesPerSecond ?? ''}`;

/** `tagOf` the row `downloads d`. */
export const TAG_SQL = `concat_ws('.', d.status, d.generation, coalesce(d.pause_reason, ''), coalesce(d.limit_bytes_per_second::text, ''))`;
