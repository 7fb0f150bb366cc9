import type { LiveEvent } from '#contracts/http/events';
import { until } from '../../../helpers/until.ts';

/** A client of `GET /api/events`. */
export interface EventStream {
  readonly status: number;
  readonly headers: Headers;
  readonly events: LiveEvent[];
  /** What `Last-Event-ID` would say now. */
  readonly lastId: () => string;
  /** True once the server ended the answer. */
  readonly isOver: () => boolean;
  /** Waits for the next event that fits; those before are skipped, and a later call goes on behind it. */
  next<T extends LiveEvent['type']>(
    type: T,
    fits?: (event: Extract<LiveEvent, { type: T }>) => boolean,
  ): Promise<Extract<LiveEvent, { type: T }>>;
  close(): void;
}

/** @param lastId of an earlier stream, to resume from */
export async function openStream(url: string, token: string, lastId?: string): Promise<EventStream> {
  const ending = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
    signal: ending.signal,
  });
  const [events, state]: [LiveEvent[], { lastId: string; isOver: boolean; read: number }] = [
    [],
    { lastId: '', isOver: false, read: 0 },
  ];
  void readFrames(response, (frame) => {
    for (const line of frame.split('\n')) {
      if (line.startsWith('id: ')) state.lastId = line.slice(4);
      if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as LiveEvent);
    }
  })
    .catch(() => undefined)
    .finally(() => (state.isOver = true));
  return {
    ...{ status: response.status, headers: response.headers, events },
    lastId: () => state.lastId,
    isOver: () => state.isOver,
    async next(type, fits = () => true) {
      type Found = Extract<LiveEvent, { type: typeof type }>;
      let found: Found | undefined;
      await until(
        () => {
          for (; found === undefined && state.read < events.length; state.read += 1) {
            const event = events[state.read]!;
            if (event.type === type && fits(event as Found)) found = event as Found;
          }
          return found !== undefined;
        },
        { what: `the event ${type} among ${JSON.stringify(events)}` },
      );
      return found!;
    },
    close: () => ending.abort(),
  };
}

async function readFrames(response: Response, onFrame: (frame: string) => void): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const frames = text.split('\n\n');
    text = frames.pop()!;
    frames.forEach(onFrame);
  }
}
