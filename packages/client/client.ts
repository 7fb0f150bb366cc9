import type { CidRecord } from '#contracts/http/cids';
import type { DownloadErrors } from '#contracts/http/download-errors';
import type {
  CreateDownloadsInput,
  Download,
  DownloadDetail,
  DownloadList,
  DownloadRequest,
} from '#contracts/http/downloads';
import type {
  CreateEnrolmentTokenInput,
  CreatedEnrolmentToken,
  EnrolBody,
  Enrolled,
  EnrolledSelf,
  EnrolmentToken,
  EnrolmentTokenList,
  RefusedEventsList,
  RevokedHost,
} from '#contracts/http/access/enrolment';
import type { Model, ModelDetail, VersionDetail, VersionSummary } from '#contracts/http/models';
import type { MetricsHealth, MetricsSummary } from '#contracts/http/metrics';
import type { ForgottenHost, HostLimitsBody, HostLimitsSet, OrderedVerify } from '#contracts/http/hosts';
import type { LabelsPatch } from '#contracts/labels';
import type { Host, HostDetail, HostList, Readiness, SystemStatus } from '#contracts/http/status';
import type { CreateRolloutInput } from '#contracts/http/rollouts/create-rollout';
import type { Rollout, RolloutPlan } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors, RolloutHostList, RolloutList } from '#contracts/http/rollouts/rollout-lists';
import type { ManifestInput } from '#contracts/manifest';
import { accessMethods, type AccessClient } from './access-client.ts';
import { bulkMethods, type BulkClient } from './bulk-client.ts';
import { overviewMethods, type OverviewClient } from './overview-client.ts';
import { send } from './send.ts';
import type { Call, ClientOptions } from './send.ts';
import { siteMethods, type SiteClient } from './site-client.ts';
import { sourceMethods, type SourceClient } from './source-client.ts';
import { swarmMethods, type SwarmClient } from './swarm-client.ts';
import { userMethods, type UserClient } from './user-client.ts';
import { webhookMethods, type WebhookClient } from './webhook-client.ts';

export interface ListFilter {
  readonly status?: readonly string[] | undefined;
  readonly cid?: string | undefined;
  /** At most 100; other filters do not apply then. */
  readonly id?: readonly string[] | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly host?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface DownloadErrorFilter {
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly host?: string | undefined;
  /** `failed` (the default), `paused` or both. */
  readonly status?: readonly string[] | undefined;
  /** ISO 8601. */
  readonly since?: string | undefined;
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

export interface RolloutListFilter {
  readonly state?: readonly string[] | undefined;
  readonly model?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface RolloutHostFilter {
  readonly state?: readonly string[] | undefined;
  /** Failure class. */
  readonly reason?: string | undefined;
  /** Part of the name. */
  readonly q?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export type RolloutAction = 'pause' | 'resume' | 'cancel' | 'approve' | 'release';

/** What the API can do, as methods. Each throws ApiError or UnreachableError; nothing is retried. */
export interface ApiClient
  extends AccessClient, BulkClient, OverviewClient, SiteClient, SourceClient, SwarmClient, UserClient, WebhookClient {
  createDownloads(body: CreateDownloadsInput): Promise<DownloadRequest>;
  getDownload(id: string): Promise<DownloadDetail>;
  /** One long-poll: resolves when the download changed or the wait is over, with how it stands then. */
  waitForDownload(id: string, options: WaitOptions): Promise<DownloadDetail>;
  listDownloads(filter?: ListFilter): Promise<DownloadList>;
  /** Why downloads failed or wait, most downloads first. */
  listDownloadErrors(filter?: DownloadErrorFilter): Promise<DownloadErrors['errors']>;
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
  /** Every host that the selector matches, by name; all of them without one. */
  listHosts(selector?: string): Promise<Host[]>;
  getHost(name: string): Promise<HostDetail>;
  /** Sets labels of a host; null removes one. */
  labelHost(name: string, labels: LabelsPatch): Promise<Host>;
  /** Whether rollouts may begin with the host. */
  drainHost(name: string, draining: boolean): Promise<Host>;
  forgetHost(name: string): Promise<ForgottenHost>;
  /** Orders the host to verify its store, or one model; it does so when it is online. */
  verifyHost(name: string, model?: string): Promise<OrderedVerify>;
  /** Changes limits of the host's worker, at once; null goes back to its configuration, what is left out stays. @returns all that is set */
  limitHost(name: string, limits: HostLimitsBody): Promise<HostLimitsSet>;
  /** @param key the same key with the same body finds the rollout that was made first */
  createRollout(body: CreateRolloutInput, key?: string): Promise<Rollout>;
  /** What a rollout would do; nothing is written. */
  planRollout(body: CreateRolloutInput): Promise<RolloutPlan>;
  getRollout(id: string): Promise<Rollout>;
  /** One long-poll: resolves when the rollout or its progress changed, or the wait is over. */
  waitForRollout(id: string, options: WaitOptions): Promise<Rollout>;
  listRollouts(filter?: RolloutListFilter): Promise<RolloutList>;
  listRolloutHosts(id: string, filter?: RolloutHostFilter): Promise<RolloutHostList>;
  listRolloutErrors(id: string): Promise<RolloutErrors>;
  actOnRollout(id: string, action: RolloutAction): Promise<Rollout>;
  /** Tries failed hosts again: those that are named or failed for one of the reasons, or all. */
  retryRollout(id: string, which?: { hosts?: readonly string[]; reasons?: readonly string[] }): Promise<Rollout>;
  createEnrolmentToken(body: CreateEnrolmentTokenInput): Promise<CreatedEnrolmentToken>;
  listEnrolmentTokens(): Promise<EnrolmentToken[]>;
  revokeEnrolmentToken(id: string): Promise<EnrolmentToken>;
  /** With an enrolment token. */
  enrolWorker(body: EnrolBody): Promise<Enrolled>;
  /** With a worker token: the host that it belongs to. */
  getEnrolledWorker(): Promise<EnrolledSelf>;
  /** Takes the enrolment of a host back. */
  revokeHost(name: string): Promise<RevokedHost>;
  /** Events that were not believed, of one host or of all; latest first. */
  listRefusedEvents(host?: string): Promise<RefusedEventsList['refused']>;
  getStatus(): Promise<SystemStatus>;
  /** Whether the API and what it needs are up; resolves for "not ready" too. */
  getReadiness(): Promise<Readiness>;
  getMetricsSummary(window?: string): Promise<MetricsSummary>;
  getMetricsHealth(window?: string): Promise<MetricsHealth>;
}

const part = encodeURIComponent;

export function createClient(options: ClientOptions): ApiClient {
  const get = <Answer>(path: string, more: Partial<Call> = {}) =>
    send<Answer>(options, { method: 'GET', path, ...more });
  const post = <Answer>(path: string, body?: unknown) => send<Answer>(options, { method: 'POST', path, body });
  return {
    ...downloadMethods(get, post),
    ...modelMethods(get, post),
    listCids: async (model, type) => (await get<{ cids: CidRecord[] }>('/api/cids', { query: { model, type } })).cids,
    getCid: (cid) => get(`/api/cids/${part(cid)}`),
    ...hostMethods(options, get, post),
    ...enrolmentMethods(options, get, post),
    ...rolloutMethods(options, get, post),
    ...accessMethods(options),
    ...userMethods(options),
    ...bulkMethods(options),
    ...siteMethods(options),
    ...overviewMethods(options),
    ...sourceMethods(options),
    ...swarmMethods(options),
    ...webhookMethods(options),
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
  listDownloadErrors: async (filter: DownloadErrorFilter = {}) =>
    (await get<DownloadErrors>('/api/downloads/errors', { query: { ...filter } })).errors,
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

const hostMethods = (options: ClientOptions, get: Get, post: Post) => ({
  listHosts: async (selector?: string) => {
    const hosts: Host[] = [];
    for (let cursor: string | undefined; ;) {
      const page: HostList = await get<HostList>('/api/hosts', { query: { selector, cursor } });
      hosts.push(...page.hosts);
      if (page.nextCursor === null) return hosts;
      cursor = page.nextCursor;
    }
  },
  getHost: (name: string) => get<HostDetail>(`/api/hosts/${part(name)}`),
  labelHost: (name: string, labels: LabelsPatch) =>
    send<Host>(options, { method: 'PATCH', path: `/api/hosts/${part(name)}/labels`, body: labels }),
  drainHost: (name: string, draining: boolean) =>
    post<Host>(`/api/hosts/${part(name)}/${draining ? 'drain' : 'undrain'}`),
  forgetHost: (name: string) => send<ForgottenHost>(options, { method: 'DELETE', path: `/api/hosts/${part(name)}` }),
});

const enrolmentMethods = (options: ClientOptions, get: Get, post: Post) => ({
  createEnrolmentToken: (body: CreateEnrolmentTokenInput) => post<CreatedEnrolmentToken>('/api/enrolment-tokens', body),
  listEnrolmentTokens: async () => (await get<EnrolmentTokenList>('/api/enrolment-tokens')).tokens,
  revokeEnrolmentToken: (id: string) =>
    send<EnrolmentToken>(options, { method: 'DELETE', path: `/api/enrolment-tokens/${part(id)}` }),
  enrolWorker: (body: EnrolBody) => post<Enrolled>('/api/workers/enrol', body),
  getEnrolledWorker: () => get<EnrolledSelf>('/api/workers/me'),
  revokeHost: (name: string) => post<RevokedHost>(`/api/hosts/${part(name)}/revoke`),
  listRefusedEvents: async (host?: string) =>
    (await get<RefusedEventsList>('/api/refused-events', { query: { host } })).refused,
});

const rolloutMethods = (options: ClientOptions, get: Get, post: Post) => ({
  createRollout: (body: CreateRolloutInput, key?: string) =>
    send<Rollout>(options, {
      ...{ method: 'POST', path: '/api/rollouts', body },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    }),
  planRollout: (body: CreateRolloutInput) => post<RolloutPlan>('/api/rollouts?dryRun=true', body),
  getRollout: (id: string) => get<Rollout>(`/api/rollouts/${part(id)}`),
  waitForRollout: (id: string, { waitMs, until, after, signal }: WaitOptions) =>
    get<Rollout>(`/api/rollouts/${part(id)}`, {
      query: { wait: formatWait(waitMs), until, after },
      extraMs: waitMs,
      signal,
    }),
  listRollouts: (filter: RolloutListFilter = {}) => get<RolloutList>('/api/rollouts', { query: { ...filter } }),
  listRolloutHosts: (id: string, filter: RolloutHostFilter = {}) =>
    get<RolloutHostList>(`/api/rollouts/${part(id)}/hosts`, { query: { ...filter } }),
  listRolloutErrors: (id: string) => get<RolloutErrors>(`/api/rollouts/${part(id)}/errors`),
  actOnRollout: (id: string, action: RolloutAction) => post<Rollout>(`/api/rollouts/${part(id)}/${action}`),
  retryRollout: (id: string, which: { hosts?: readonly string[]; reasons?: readonly string[] } = {}) =>
    post<Rollout>(`/api/rollouts/${part(id)}/retry`, which),
});
