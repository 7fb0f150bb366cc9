import { SECOND_MS } from '#core/units';
import type { Exchange, Headers } from '../http/exchange.ts';
import { mapOf, type GrowingLeaves } from './growing-files.ts';
import type { UploadSlots } from './upload-slots.ts';

export interface Telling {
  readonly file: GrowingLeaves;
  readonly slots: UploadSlots;
  /** The other host wants a line at most this often; milliseconds. */
  readonly everyMs: number;
  /** This host still fetches the file, and the host that asks may read it. */
  readonly isOffered: () => boolean;
  /** Of the answer. */
  readonly headers: Headers;
}

/** What changes within this is told together. Load that is told much later sends several hosts to the same one. */
const BATCH_MS = 50;
/** A line is sent at least this often: the other host hears that this one is there. */
const REPEAT_MS = SECOND_MS;
/** The other host asks again after this, so that its right to read is checked again. */
const LONGEST_MS = 60 * SECOND_MS;
/** A client that does not read its lines is not served. */
const MOST_UNREAD_BYTES = 64 * 1024;

/** The pieces of each file in this turn of the event loop: all hosts that ask are told the same. */
const told = new WeakMap<GrowingLeaves, string>();

function piecesOf(file: GrowingLeaves): string {
  const known = told.get(file);
  if (known !== undefined) return known;
  const text = mapOf(file).toString();
  told.set(file, text);
  setImmediate(() => told.delete(file));
  return text;
}

/**
 * Answers with a line whenever this host has more pieces of a growing file, or begins or ends an upload: the pieces, as in `Swarm-Have`, a space, and how
 * many uploads run or wait. Changes soon after each other are told together. Ends when the file is complete or not fetched any more, when the server stops, and after a
 * minute.
 */
export function tellPieces(
  { response, stopping }: Exchange,
  { file, slots, everyMs, isOffered, headers }: Telling,
): void {
  // A client that left before has closed its response, and that is not said again.
  if (response.destroyed) return;
  response.writeHead(200, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
  const batchMs = Math.min(REPEAT_MS, Math.max(BATCH_MS, everyMs));
  let last = { map: '', load: 0 };
  let batch: NodeJS.Timeout | undefined;
  const ends: (() => void)[] = [];
  const stop = (): void => {
    clearTimeout(batch);
    for (const end of ends.splice(0)) end();
  };
  // The client may read its last lines much later: nothing is written after them.
  const finish = (): void => {
    stop();
    response.end();
  };
  const tell = (): void => {
    last = { map: piecesOf(file), load: slots.load };
    response.write(`${last.map} ${last.load}\n`);
    repeat.refresh();
    if (last.map === 'all' || !isOffered() || stopping.aborted) finish();
    else if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
  };
  const tellNews = (): void => {
    batch = undefined;
    if (piecesOf(file) !== last.map || slots.load !== last.load || !isOffered()) tell();
  };
  const tellSoon = (): void => void (batch ??= setTimeout(tellNews, batchMs));
  const repeat = setInterval(tell, REPEAT_MS);
  ends.push(
    file.onMore(tellSoon),
    slots.onChange(tellSoon),
    clearing(repeat),
    clearing(setTimeout(finish, LONGEST_MS)),
    () => stopping.removeEventListener('abort', finish),
  );
  stopping.addEventListener('abort', finish);
  response.once('close', stop);
  tell();
}

const clearing = (timer: NodeJS.Timeout) => (): void => clearTimeout(timer);
