import type { Progress } from '#transfer/report/transfer-options';
import type { ProgressItem, ProgressTotal } from '../terminal/progress-lines.ts';
import type { ManyDisplay } from '../terminal/progress.ts';
import { SteadyRate } from '../terminal/steady-rate.ts';

/** Up to this many files keep their lines to the end; of more files only those in flight have a line. */
const MOST_KEPT_LINES = 200;
const LOOK_EVERY_MS = 500;
const MOST_NAMES = 2;

export interface FollowedFile {
  readonly label: string;
  /** Undefined while it is not known. */
  readonly sizeBytes: number | undefined;
}

interface Line {
  readonly label: string;
  readonly rate: SteadyRate;
  doneBytes: number;
  totalBytes: number | undefined;
  note: string;
  isNew: boolean;
  isOver: boolean;
}

/** Shows each file in flight, and all files together. Its memory grows with the number of shown files. */
export class ManyFollower {
  readonly #files: readonly FollowedFile[];
  readonly #display: ManyDisplay;
  readonly #now: () => number;
  readonly #lines = new Map<number, Line>();
  readonly #rate: SteadyRate;
  readonly #timer: NodeJS.Timeout;
  /** Files whose length is not known, and the lengths of the others together. */
  #unsized: number;
  #totalBytes: number;
  #doneBytes = 0;
  #keptBytes = 0;
  #doneFiles = 0;
  #failedFiles = 0;

  /** @param now monotonic milliseconds */
  constructor(files: readonly FollowedFile[], display: ManyDisplay, now: () => number) {
    this.#files = files;
    this.#display = display;
    this.#now = now;
    this.#rate = new SteadyRate(now());
    this.#unsized = files.filter(({ sizeBytes }) => sizeBytes === undefined).length;
    this.#totalBytes = files.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
    this.#timer = setInterval(() => this.#show(), LOOK_EVERY_MS).unref();
  }

  /** The file with this index has started. */
  begun(index: number): void {
    this.#lineOf(index);
  }

  /** The file with this index has progressed. */
  progressed(index: number, { totalBytes, committedBytes, activeSources }: Progress): void {
    const line = this.#lineOf(index);
    if (totalBytes !== undefined) this.#size(line, totalBytes);
    this.#reach(line, committedBytes);
    line.note = activeSources.length <= MOST_NAMES ? activeSources.join(', ') : `${activeSources.length} sources`;
    this.#show();
  }

  /** @param sentence for a log */
  succeeded(index: number, sizeBytes: number, sentence: string): void {
    const line = this.#lineOf(index);
    this.#doneFiles += 1;
    this.#size(line, sizeBytes);
    this.#reach(line, sizeBytes);
    this.#over(index, line, '', sentence);
  }

  /** @param sentence for a log */
  failed(index: number, sentence: string): void {
    this.#failedFiles += 1;
    this.#over(index, this.#lineOf(index), 'failed', sentence);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#show();
    this.#display.end();
  }

  #lineOf(index: number): Line {
    const known = this.#lines.get(index);
    if (known !== undefined) return known;
    const { label, sizeBytes: totalBytes } = this.#files[index]!;
    const line = { label, totalBytes, rate: new SteadyRate(this.#now()), doneBytes: 0, note: '' };
    const fresh = { ...line, isNew: true, isOver: false };
    this.#lines.set(index, fresh);
    return fresh;
  }

  #size(line: Line, bytes: number): void {
    if (line.totalBytes === undefined) this.#unsized -= 1;
    this.#totalBytes += bytes - (line.totalBytes ?? 0);
    line.totalBytes = bytes;
  }

  #reach(line: Line, bytes: number): void {
    // Bytes in the first progress of a file are of an earlier run and do not count for the speed.
    if (line.isNew) this.#keptBytes += bytes;
    line.isNew = false;
    this.#doneBytes += bytes - line.doneBytes;
    line.doneBytes = bytes;
    line.rate.reached(bytes, this.#now());
    this.#rate.reached(this.#doneBytes - this.#keptBytes, this.#now());
  }

  #over(index: number, line: Line, note: string, sentence: string): void {
    line.note = note;
    line.isOver = true;
    if (this.#files.length > MOST_KEPT_LINES) this.#lines.delete(index);
    this.#display.ended(sentence);
    this.#show();
  }

  #show(): void {
    this.#display.update(() => [...this.#lines.values()].map((line) => this.#itemOf(line)), this.#total());
  }

  #itemOf({ label, doneBytes, totalBytes, rate, note, isOver }: Line): ProgressItem {
    return { label, doneBytes, totalBytes, bytesPerSecond: isOver ? 0 : rate.bytesPerSecond(this.#now()), note };
  }

  #total(): ProgressTotal {
    const failed = this.#failedFiles > 0 ? `, ${this.#failedFiles} failed` : '';
    return {
      label: 'total',
      doneBytes: this.#doneBytes,
      totalBytes: this.#unsized > 0 ? undefined : this.#totalBytes,
      bytesPerSecond: this.#rate.bytesPerSecond(this.#now()),
      files: this.#files.length,
      doneFiles: this.#doneFiles,
      note: `${this.#doneFiles} of ${this.#files.length} files${failed}`,
    };
  }
}
