import { SourceError } from '#core/failure';
import type { ByteSink, Source } from '#core/source';
import type { SourceHealth } from './source-health.ts';

/** @param ms from the request until the first byte of the body came */
export type OnFirstByte = (source: Source, ms: number) => void;

/**
 * Asks the origin only while its health admits requests, and reports their outcome. A Retry-After holds for all transfers of the process,
 * because they share the health of the origin.
 *
 * @param now monotonic milliseconds
 */
export const withHealth =
  (health: SourceHealth, now: () => number = () => performance.now(), onFirstByte?: OnFirstByte) =>
  (inner: Source): Source => {
    const { origin, name, layer, bucket, readBlock } = inner;
    const watch = async <T>(work: () => Promise<T>, bytes = () => 0): Promise<T> => {
      health.admit(origin, name, bucket);
      try {
        const result = await work();
        health.succeeded(origin);
        return result;
      } catch (error) {
        health.failed(origin, error instanceof SourceError ? error : { kind: 'aborted' }, bytes());
        // The pause of a peer is about one host that asks it.
        if (error instanceof SourceError && layer !== 'peer') health.asked.note(origin, error);
        throw error;
      }
    };
    return {
      ...inner,
      read: (request, sink, signal) => {
        const meter = metered(sink, now, (ms) => onFirstByte?.(inner, ms));
        return watch(async () => {
          try {
            await inner.read(request, meter.sink, signal);
          } finally {
            health.moved(origin, meter.bytes(), meter.ms());
          }
        }, meter.bytes);
      },
      ...(readBlock && { readBlock: (cid, maxBytes, signal) => watch(() => readBlock(cid, maxBytes, signal)) }),
    };
  };

/** Counts bytes, and the time of waiting for the source without that of waiting for the sink. */
function metered(
  sink: ByteSink,
  now: () => number,
  onFirstByte: (ms: number) => void,
): { sink: ByteSink; bytes: () => number; ms: () => number } {
  const requestedAt = now();
  let bytes = 0;
  let startedAt = 0;
  let endedAt = 0;
  let heldMs = 0;
  return {
    bytes: () => bytes,
    ms: () => endedAt - startedAt - heldMs,
    sink: {
      head: (head) => {
        startedAt = endedAt = now();
        sink.head(head);
      },
      write: (chunk) => {
        if (bytes === 0 && chunk.byteLength > 0) onFirstByte(now() - requestedAt);
        bytes += chunk.byteLength;
        const at = (endedAt = now());
        const held = sink.write(chunk);
        return held?.then(() => {
          heldMs += now() - at;
          endedAt = now();
        });
      },
    },
  };
}
