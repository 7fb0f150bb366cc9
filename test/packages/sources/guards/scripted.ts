import { SourceError } from '#core/failure';
import type { Source } from '#core/source';

/** A source that does what the next entry says: an error is thrown, a number is that many bytes. */
export function scripted(
  script: (Error | number)[],
  origin = 'http://o',
  more: Partial<ReturnType<Source['capabilities']>> = {},
): Source {
  return {
    name: 'scripted',
    kind: 'mirror',
    layer: 'origin',
    origin,
    capabilities: () => ({ range: true, blocks: false, maxConnections: 2, ...more }),
    read: async (_request, sink) => {
      const next = script.shift() ?? 10;
      if (next instanceof Error) throw next;
      sink.head({ start: 0, end: next, totalBytes: next, validator: undefined });
      await sink.write(new Uint8Array(next));
    },
  };
}

export const failure = (kind: SourceError['kind'], retryAfterMs?: number): SourceError =>
  new SourceError(kind, 'scripted', 'no', { retryAfterMs });
