import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { DAY_MS, HOUR_MS } from '#core/units';
import type { Store } from '#store/open-store';
import { STALE_LIMITS, staleDecision, type StaleDecision } from '#store/models/stale-policy';
import type { VersionAnswers } from './version-answers.ts';

export interface StaleWatchOptions {
  readonly store: Pick<Store, 'records'>;
  readonly answers: VersionAnswers;
  /** Answers of origins that other workers stored; undefined while Redis cannot be reached. */
  readonly readFleetAnswers: () => Promise<ReadonlyMap<string, number> | undefined>;
  readonly publish: (event: WorkerEvent) => void;
  readonly logger: Logger;
  readonly now: () => number;
  readonly everyMs?: number;
}

/** Watches the age of the models on this host. They are served in any case; a notice is published beyond the limits. */
export class StaleWatch {
  readonly #options: StaleWatchOptions;
  /** The last notice of each model and version. */
  readonly #told = new Map<string, StaleDecision['state']>();
  #online = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StaleWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#lookAtAll(), this.#options.everyMs ?? HOUR_MS);
    this.#lookAtAll();
  }

  /** Safe twice and before start. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #lookAtAll(): void {
    this.lookAtAll().catch((err: unknown) =>
      this.#options.logger.warn({ err }, 'ages of the models could not be checked'),
    );
  }

  /** Learns what the fleet knows and looks at the current version of each model. */
  async lookAtAll(): Promise<void> {
    const { store, answers, readFleetAnswers } = this.#options;
    const found = await readFleetAnswers();
    this.#online = found !== undefined;
    await answers.learn(found ?? []);
    for (const model of (await store.records()).keys()) await this.lookAt(model);
  }

  /**
   * Looks at one model, such as on each cache hit.
   *
   * @param checkedAt when its origin last answered, as far as the asker knows
   */
  async lookAt(model: string, checkedAt?: number): Promise<StaleDecision | undefined> {
    const { store, answers, now } = this.#options;
    if (checkedAt !== undefined) await answers.learn([[model, checkedAt]]);
    const record = (await store.records()).get(model);
    const version = record?.version ?? undefined;
    const downloadedAt = version === undefined ? undefined : record?.versions.get(version)?.downloadedAt;
    if (version === undefined || downloadedAt === undefined) return undefined;
    const answeredAt = await answers.of(model);
    const confirmedAtMs = Math.max(Date.parse(downloadedAt), answeredAt ?? 0);
    const decision = staleDecision({ nowMs: now(), confirmedAtMs, lastCheck: this.#lastCheck(answeredAt) });
    this.#tell(model, version, decision.state, confirmedAtMs);
    return decision;
  }

  /** An origin that has answered once is asked every day, so a missing answer means that it stopped answering. */
  #lastCheck(answeredAt: number | undefined): 'none' | 'failed' | 'offline' {
    if (!this.#online) return 'offline';
    return answeredAt === undefined ? 'none' : 'failed';
  }

  #tell(model: string, version: string, state: StaleDecision['state'], confirmedAtMs: number): void {
    const key = `${model}@${version}`;
    const before = this.#told.get(key);
    this.#told.set(key, state);
    if (state !== 'expired' || before === 'expired') return;
    const { publish, now } = this.#options;
    const days = Math.floor((now() - confirmedAtMs) / DAY_MS);
    const limitDays = (this.#online ? STALE_LIMITS.freshMs + STALE_LIMITS.graceMs : STALE_LIMITS.offlineMs) / DAY_MS;
    publish({
      type: 'host.notice',
      at: now(),
      notice: 'degraded',
      model,
      path: null,
      message: `version ${version} of ${model} is served although its origin last answered ${days} days ago (limit: ${limitDays} days)`,
      facts: { version, ageDays: days },
    });
  }
}
