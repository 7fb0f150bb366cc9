import { encodeCar } from '#content/dag/car';
import { checkFormat, guessFormat } from '#content/formats/check-format';
import { encodeLeafTable } from '#content/leaf/leaf-table-file';
import type { Obtained } from '#fetch/obtain';
import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { ExhaustedError, VerifyError } from '#core/failure';
import { nameOfLayer } from '#core/layer';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { LeasedPartial } from '#os/lease/leased-partial';
import type { AttemptContext, HandlerResult } from '#queue/jobs/download-handler';
import type { Store } from '#store/open-store';
import { contentKey } from '#store/blobs/partial-lease';
import type { PublishedBlob } from '#store/blobs/publish';
import type { Progress, TryRecord } from '#transfer/report/transfer-options';
import type { Fetcher, SourceNamed } from './fetcher.ts';
import {
  stopCauseOf,
  type DownloadPosition,
  type RunningDownload,
  type RunningDownloads,
} from './running-downloads.ts';
import { degradedNotice, endOf } from './attempt-end.ts';
import { finishedEvent, MAX_ORIGIN_CHARS, publishedFacts, TryReporter } from './attempt-events.ts';
import { viewOf } from './view-of.ts';

export interface AttemptDeps {
  readonly store: Store;
  readonly fetcher: Fetcher;
  readonly downloads: RunningDownloads;
  readonly publish: (event: WorkerEvent) => void;
  /** Resolves when everything published is acknowledged. */
  readonly flush: (signal?: AbortSignal) => Promise<void>;
  /** Called for each file that is present, fetched now or before. */
  readonly onServed: (job: DownloadJob) => void;
  /** Called for each try. */
  readonly traceTry: (record: TryRecord) => void;
  readonly logger: Logger;
}

/** Longest wait for the acknowledgement of the last events at a stop. */
const LAST_WORDS_MS = SECOND_MS;
/** A transfer without a report by then is announced all the same. */
const ANNOUNCE_MS = SECOND_MS;
/** A partial that waits for disk space is kept this long. */
const KEEP_WAITING_MS = 24 * 3600 * SECOND_MS;

interface Brought {
  readonly blob: PublishedBlob;
  /** Undefined when the file was here already. */
  readonly obtained: Obtained | undefined;
}

/** One run of a job (docs/architecture.md, "One download"). */
export class Attempt {
  readonly #job: DownloadJob;
  readonly #context: AttemptContext;
  readonly #running: RunningDownload;
  readonly #deps: AttemptDeps;
  readonly #tries: TryReporter;
  readonly #startedAt = performance.now();
  #announced = false;
  #committedBytes = 0;
  /** Ends the offer of the leaves to other hosts. */
  #withdraw: () => void = () => undefined;
  #sourceNamed: SourceNamed = () => undefined;
  /** Nodes of the DAG arrived. */
  #gotNodes = false;

  constructor(job: DownloadJob, context: AttemptContext, running: RunningDownload, deps: AttemptDeps) {
    this.#job = job;
    this.#context = context;
    this.#running = running;
    this.#deps = deps;
    this.#tries = new TryReporter(job, context.attempt, deps.publish);
  }

  async run(): Promise<HandlerResult> {
    const announce = setTimeout(() => this.#announce(0), ANNOUNCE_MS);
    try {
      const brought = await this.#bring();
      await this.#unpack(brought.blob);
      this.#announce(brought.blob.sizeBytes);
      const durationMs = Math.round(performance.now() - this.#startedAt);
      const path = await this.#pathOf(brought.blob);
      const sources = this.#tries.sourceBytes();
      this.#running.end();
      this.#deps.publish(finishedEvent(this.#job, { ...brought, path, sources, durationMs, now: Date.now() }));
      this.#deps.logger.info(publishedFacts(this.#job, { ...brought, path, sources, durationMs }), 'published');
      this.#deps.onServed(this.#job);
      await this.#deps.flush();
      return { do: 'done' };
    } catch (error) {
      return await this.#end(error);
    } finally {
      clearTimeout(announce);
    }
  }

  /** One transfer per content on this host: a file that another process publishes meanwhile is taken. */
  async #bring(): Promise<Brought> {
    const { store } = this.#deps;
    const { file } = this.#job;
    const outcome = await store.leaseContent(contentKey(file), {
      find: () => store.find(file),
      signal: this.#running.signal,
      onWaiting: (heldBy) =>
        this.#deps.logger.info({ file: file.path, heldBy }, 'another process fetches this content'),
    });
    if ('partial' in outcome) return this.#fetch(outcome.partial);
    const view = viewOf(this.#job);
    if (view) await store.ensureView(outcome.found, view);
    return { blob: outcome.found, obtained: undefined };
  }

  async #fetch(partial: LeasedPartial): Promise<Brought> {
    try {
      return await this.#fetchInto(partial);
    } finally {
      this.#withdraw();
    }
  }

  async #fetchInto(partial: LeasedPartial): Promise<Brought> {
    try {
      const obtained = await this.#obtain(partial);
      await this.#refuseWrongFormat(obtained);
      const blob = await this.#publish(obtained);
      await partial.discard();
      return { blob, obtained };
    } catch (error) {
      if (stopCauseOf(this.#running.signal) === 'cancel') await partial.discard();
      else await partial.release({ keepForMs: KEEP_WAITING_MS });
      throw error;
    }
  }

  async #obtain(partial: LeasedPartial): Promise<Obtained> {
    const { store, fetcher, logger } = this.#deps;
    const { file, model } = this.#job;
    const repair = await store.repairOf(file);
    const relatedTo =
      model && (await store.relatedFiles({ model: model.name, version: model.version, path: file.path }));
    return fetcher.fetch(this.#job, {
      partialPath: partial.partialPath,
      salvage: [...partial.salvage, ...(repair === undefined ? [] : [repair.path])],
      leavesOf: repair?.cid,
      relatedTo,
      throttle: this.#running.throttle,
      signal: AbortSignal.any([this.#running.signal, partial.lost]),
      onProgress: (progress) => this.#progressed(progress),
      onTry: (record) => {
        this.#tries.add(record);
        this.#deps.traceTry(record);
      },
      onSources: (sourceNamed) => (this.#sourceNamed = sourceNamed),
      onOffered: (withdraw) => (this.#withdraw = withdraw),
      onNodes: ({ done }) => (this.#gotNodes ||= done > 0),
      logger,
    });
  }

  /** Verified bytes in another format mean that the manifest is wrong; they are never published. */
  async #refuseWrongFormat(obtained: Obtained): Promise<void> {
    const format = this.#job.file.format ?? guessFormat(this.#job.file.path);
    const reason = format && (await checkFormat(obtained.partialPath, obtained.sizeBytes, format));
    if (reason) throw new VerifyError('wrong-format', `${this.#job.file.path} is not ${format}: ${reason}`);
  }

  #publish(obtained: Obtained): Promise<PublishedBlob> {
    const { cid, table, innerBlocks } = obtained;
    return this.#deps.store.publish({
      partialPath: obtained.partialPath,
      sha256: obtained.digests.sha256!,
      sizeBytes: obtained.sizeBytes,
      digests: obtained.digests,
      cid,
      ...(cid && table ? { table: encodeLeafTable(table) } : {}),
      ...(cid && innerBlocks ? { inner: encodeCar(cid, innerBlocks) } : {}),
      view: viewOf(this.#job),
    });
  }

  /** Unpacks the files that the manifest declares inside the archive; each is proven by its own digest. */
  async #unpack(archive: PublishedBlob): Promise<void> {
    const { path, unpack } = this.#job.file;
    if (unpack === undefined) return;
    const view = viewOf(this.#job);
    const { publishedFiles, skippedEntries } = await this.#deps.store.unpack({
      archivePath: archive.path,
      path,
      as: unpack.as,
      files: unpack.files,
      ...(view && { view: { model: view.model, version: view.version, isHeld: view.isHeld } }),
      signal: this.#running.signal,
    });
    this.#deps.logger.info({ file: path, publishedFiles, skippedEntries }, 'unpacked');
  }

  #progressed(progress: Progress): void {
    this.#committedBytes = progress.committedBytes;
    this.#announce(progress.committedBytes);
    this.#running.report({
      committedBytes: progress.committedBytes,
      totalBytes: progress.totalBytes ?? null,
      source: progress.activeSources[0] ?? null,
      from: this.#placeOf(progress.activeSources[0]),
      retries: Math.max(0, progress.tries - 1),
    });
  }

  #placeOf(name: string | undefined): DownloadPosition['from'] {
    const source = name === undefined ? undefined : this.#sourceNamed(name);
    if (source === undefined) return undefined;
    const { layer, kind, origin } = source;
    return { layer: nameOfLayer(layer), kind, origin: origin.slice(0, MAX_ORIGIN_CHARS) };
  }

  /** Publishes once that this attempt runs, with its resume point. */
  #announce(resumedBytes: number): void {
    if (this.#announced) return;
    this.#announced = true;
    const { downloadId, generation } = this.#job;
    const { attempt } = this.#context;
    this.#deps.publish({ type: 'download.started', downloadId, generation, at: Date.now(), attempt, resumedBytes });
    this.#running.report({ committedBytes: resumedBytes, totalBytes: null, source: null, retries: 0 });
  }

  async #end(error: unknown): Promise<HandlerResult> {
    const stopCause = stopCauseOf(this.#running.signal);
    // An attempt that was stopped before it read the disk knows less than the row.
    const isSilent = stopCause !== undefined && !this.#announced;
    if (!isSilent) this.#announce(this.#committedBytes);
    const servedVersion = error instanceof ExhaustedError ? await this.#servedVersion() : undefined;
    const { event, result } = endOf(error, {
      job: this.#job,
      context: this.#context,
      stopCause,
      committedBytes: this.#committedBytes,
      gotBytes: this.#gotNodes || this.#tries.gotBytes,
      sources: this.#tries.sourceBytes(),
      servedVersion,
      now: Date.now(),
      random: Math.random(),
    });
    this.#deps.logger.info({ downloadId: this.#job.downloadId, err: error, result: result.do }, 'attempt ended');
    // A position that is told after the end would count as the start of a further attempt.
    this.#running.end();
    if (event && !isSilent) this.#deps.publish(event);
    if (event?.type === 'download.failed' && servedVersion !== undefined) this.#tellDegraded(servedVersion);
    await this.#deps
      .flush(stopCause === undefined ? undefined : AbortSignal.timeout(LAST_WORDS_MS))
      .catch((err: unknown) => {
        this.#deps.logger.warn({ err }, 'the last events wait for Redis');
      });
    return result;
  }

  /** The version that applications see now, when it is not the wanted one. */
  async #servedVersion(): Promise<string | undefined> {
    const { model } = this.#job;
    if (model === undefined) return undefined;
    const shown = (await this.#deps.store.records()).get(model.name)?.version;
    return shown === null || shown === model.version ? undefined : shown;
  }

  #tellDegraded(servedVersion: string): void {
    const notice = degradedNotice(this.#job, servedVersion, Date.now());
    if (notice !== undefined) this.#deps.publish(notice);
  }

  /** Until the last file of a new version is here, its view still shows the older version. */
  async #pathOf(blob: PublishedBlob): Promise<string> {
    const { store } = this.#deps;
    const view = viewOf(this.#job);
    if (view === undefined || (await store.records()).get(view.model)?.version !== view.version) return blob.path;
    return `${store.paths.models}/${view.model}/${view.path}`;
  }
}
