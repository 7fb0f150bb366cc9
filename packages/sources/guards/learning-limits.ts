import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import type { ConnectionLimits, WatchedRequest } from './connection-limits.ts';

/** Learns from each answer how many connections the origin serves at once, and marks refusals that this limit caused. */
export const learningLimits =
  (limits: ConnectionLimits) =>
  (inner: Source): Source => {
    const { origin, name, readBlock } = inner;
    const servedAtMs: { read?: number; block?: number } = {};
    const watch = async <T>(request: WatchedRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
      let failed = false;
      try {
        const result = await work();
        if (!request.isServed) request.served();
        return result;
      } catch (error) {
        failed = error instanceof SourceError && error.kind !== 'aborted';
        throw await request.explain(error, servedAtMs[request.what], signal);
      } finally {
        if (request.isServed)
          servedAtMs[request.what] = failed ? (servedAtMs[request.what] ?? -Infinity) : limits.now();
        request.end(failed);
      }
    };
    return {
      ...inner,
      read: (request, sink, signal) => {
        const watched = limits.begin(origin, name, 'read');
        const head: typeof sink.head = (answer) => {
          sink.head(answer);
          watched.served();
        };
        return watch(watched, signal, () => inner.read(request, { head, write: (chunk) => sink.write(chunk) }, signal));
      },
      ...(readBlock && {
        readBlock: (cid, maxBytes, signal) =>
          watch(limits.begin(origin, name, 'block'), signal, () => readBlock(cid, maxBytes, signal)),
      }),
    };
  };
