import type { CidRecord } from '#contracts/http/cids';
import type {
  CreateDownloadsInput,
  Download,
  DownloadDetail,
  DownloadList,
  DownloadRequest,
} from '#contracts/http/downloads';
import type { Model, ModelDetail, VersionDetail, VersionSummary } from '#contracts/http/models';
import type { MetricsHealth, MetricsSummary } from '#contracts/http/metrics';
import type { HostLimitsBody, HostLimitsSet, OrderedVerify } from '#contracts/http/hosts';
import type { Host, Readiness, SystemStatus } from '#contracts/http/status';
import type { ManifestInput } from '#contracts/manifest';
import { send } from './send.ts';
import type { Call, ClientOptions } from './send.ts';

export interface ListFilter {
  readonly status?: readonly string[] | undefined;
  readonly cid?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly host?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface WaitOptions {
  /** How long the server may hold the answer; milliseconds, at most 60,000. */
  readonly waitMs: number;
  /** `change` answers at the next change, `final` only at success, failed or cancelled. */
  readonly until?: 'change' | 'final' | undefined;
  /** The `version` that is known already. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the API can do, as methods. Each throws ApiError or UnreachableError; nothing is retried. */
export interface Client {
  createDownloads(body: CreateDownloadsInput): Promise<DownloadRequest>;
  getDownload(id: string): Promise<DownloadDetail>;
  /** One long-poll: resolves when the download changed or the wait is over, with how it stands then. */
  waitForDownload(id: string, options: WaitOptions): Promise<DownloadDetail>;
  listDownloads(filter?: ListFilter): Promise<DownloadList>;
  resumeDownload(id: string): Promise<Download>;
  pauseDownload(id: string): Promise<Download>;
  cancelDownload(id: string): Promise<Download>;
  /** @param bytesPerSecond at least 1; null lifts the limit */
  limitDownload(id: string, bytesPerSecond: number | null): Promise<Download>;
  listModels(): Promise<Model[]>;
  getModel(name: string): Promise<ModelDetail>;
  listVersions(name: string): Promise<VersionSummary[]>;
  getVersion(name: string, version: string): Promise<VersionDetail>;
  /** Publishes a version; the same manifest again changes nothing. */
  publishVersion(manifest: ManifestInput): Promise<VersionDetail>;
  pinModel(name: string, version: string): Promise<Model>;
  unpinModel(name: string): Promise<Model>;
  /** Queues a check of the model's origin for a newer version; the result appears in `newerVersion`. */
  checkModel(name: string): Promise<Model>;
  /** Contents of the model that were downloaded, newest first; optionally of one type. */
  listCids(model: string, type?: string): Promise<CidRecord[]>;
  getCid(cid: string): Promise<CidRecord>;
  listHosts(): Promise<Host[]>;
  /** Orders the host to verify its store, or one model; it does so when it is online. */
  verifyHost(name: string, model?: string): Promise<OrderedVerify>;
  /** Changes limits of the host's worker, at once; null goes back to its configuration, what is left out stays. @returns all that is set */
  limitHost(name: string, limits: HostLimitsBody): Promise<HostLimitsSet>;
  getStatus(): Promise<SystemStatus>;
  /** Whether the API and what it needs are up; resolves for "not ready" too. */
  getReadiness(): Promise<Readiness>;
  getMetricsSummary(window?: string): Promise<MetricsSummary>;
  getMetricsHealth(window?: string): Promise<MetricsHealth>;
}

const part = encodeURIComponent;

export function createClient(options: ClientOptions): Client {
  const get = <Answer>(path: string, more: Partial<Call> = {}) =>
    send<Answer>(options, { method: 'GET', path, ...more });
  const post = <Answer>(path: string, body?: unknown) => send<Answer>(options, { method: 'POST', path, body });
  return {
    ...downloadMethods(get, post),
    ...modelMethods(get, post),
    listCids: async (model, type) => (await get<{ cids: CidRecord[] }>('/api/cids', { query: { model, type } })).cids,
    getCid: (cid) => get(`/api/cids/${part(cid)}`),
    listHosts: async () => (await get<{ hosts: Host[] }>('/api/hosts')).hosts,
    verifyHost: (name, model) => post(`/api/hosts/${part(name)}/verify`, model === undefined ? {} : { model }),
    limitHost: (name, body) => send(options, { method: 'PATCH', path: `/api/hosts/${part(name)}/limits`, body }),
    getStatus: () => get('/api/status'),
    getReadiness: () => get('/readyz', { alsoFine: [503] }),
    getMetricsSummary: (window) => get('/api/metrics/summary', { query: { window } }),
    getMetricsHealth: (window) => get('/api/metrics/health', { query: { window } }),
  };
}

/** The most the API holds an answer. */
const MAX_WAIT_MS = 60_000;

/** @returns the `wait` parameter for so many milliseconds, within what the API accepts */
const formatWait = (ms: number): string => `${Math.max(0, Math.min(MAX_WAIT_MS, Math.round(ms)))}ms`;

type Get = <Answer>(path: string, more?: Partial<Call>) => Promise<Answer>;
type Post = <Answer>(path: string, body?: unknown) => Promise<Answer>;

const downloadMethods = (get: Get, post: Post) => ({
  createDownloads: (body: CreateDownloadsInput) => post<DownloadRequest>('/api/downloads', body),
  getDownload: (id: string) => get<DownloadDetail>(`/api/downloads/${part(id)}`),
  waitForDownload: (id: string, { waitMs, until, after, signal }: WaitOptions) =>
    get<DownloadDetail>(`/api/downloads/${part(id)}`, {
      query: { wait: formatWait(waitMs), until, after },
      extraMs: waitMs,
      signal,
    }),
  listDownloads: (filter: ListFilter = {}) => get<DownloadList>('/api/downloads', { query: { ...filter } }),
  resumeDownload: (id: string) => post<Download>(`/api/downloads/${part(id)}/resume`),
  pauseDownload: (id: string) => post<Download>(`/api/downloads/${part(id)}/pause`),
  limitDownload: (id: string, bytesPerSecond: number | null) =>
    post<Download>(`/api/downloads/${part(id)}/limit`, { bytesPerSecond }),
  cancelDownload: (id: string) => post<Download>(`/api/downloads/${part(id)}/cancel`),
});

const modelMethods = (get: Get, post: Post) => ({
  listModels: async () => (await get<{ models: Model[] }>('/api/models')).models,
  getModel: (name: string) => get<ModelDetail>(`/api/models/${part(name)}`),
  listVersions: async (name: string) =>
    (await get<{ versions: VersionSummary[] }>(`/api/models/${part(name)}/versions`)).versions,
  getVersion: (name: string, version: string) =>
    get<VersionDetail>(`/api/models/${part(name)}/versions/${part(version)}`),
  publishVersion: (manifest: ManifestInput) =>
    post<VersionDetail>(`/api/models/${part(manifest.name)}/versions`, manifest),
  pinModel: (name: string, version: string) => post<Model>(`/api/models/${part(name)}/pin`, { version }),
  unpinModel: (name: string) => post<Model>(`/api/models/${part(name)}/unpin`),
  checkModel: (name: string) => post<Model>(`/api/models/${part(name)}/check`),
});
