import type { SourceFailureKind } from '#core/failure';
import { SourceError } from '#core/failure';
import type { Layer, SourceKind } from '#core/layer';
import type { Source } from '#core/source';

/** One finished request to one source. */
export interface SourceObservation {
  readonly source: string;
  readonly origin: string;
  readonly kind: SourceKind;
  readonly layer: Layer;
  readonly what: 'read' | 'block';
  /** `sink` when the receiver of the bytes, not the source, ended it. */
  readonly outcome: 'success' | 'sink' | SourceFailureKind;
  /** Bytes handed to the sink. */
  readonly bytes: number;
  readonly ms: number;
  /** Until the answer's head; undefined when none came. */
  readonly headMs: number | undefined;
}

/**
 * Reports every request of a source.
 *
 * @param now monotonic milliseconds
 */
export const observed =
  (report: (observation: SourceObservation) => void, now: () => number = () => performance.now()) =>
  (inner: Source): Source => {
    const { name: source, origin, kind, layer, readBlock } = inner;
    const watch = async <T>(what: SourceObservation['what'], seen: Seen, work: () => Promise<T>): Promise<T> => {
      const startedAt = now();
      let outcome: SourceObservation['outcome'] = 'success';
      try {
        return await work();
      } catch (error) {
        outcome = error instanceof SourceError ? error.kind : 'sink';
        throw error;
      } finally {
        const headMs = seen.headAt === undefined ? undefined : seen.headAt - startedAt;
        report({ source, origin, kind, layer, what, outcome, bytes: seen.bytes, ms: now() - startedAt, headMs });
      }
    };
    return {
      ...inner,
      read: (request, sink, signal) => {
        const seen: Seen = { bytes: 0, headAt: undefined };
        const counting = {
          head: (head: Parameters<typeof sink.head>[0]): void => {
            seen.headAt = now();
            sink.head(head);
          },
          write: (chunk: Uint8Array): void | Promise<void> => {
            seen.bytes += chunk.byteLength;
            return sink.write(chunk);
          },
        };
        return watch('read', seen, () => inner.read(request, counting, signal));
      },
      ...(readBlock && {
        readBlock: (cid, maxBytes, signal) => {
          const seen: Seen = { bytes: 0, headAt: undefined };
          return watch('block', seen, async () => {
            const block = await readBlock(cid, maxBytes, signal);
            seen.bytes = block.byteLength;
            return block;
          });
        },
      }),
    };
  };

interface Seen {
  bytes: number;
  headAt: number | undefined;
}
