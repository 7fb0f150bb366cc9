import type { LiveEvent } from '#contracts/http/events';

/** Clients of `GET /api/events?topics=progress`, half of them at each API process. */
export interface Clients {
  /** A host sent this position of these downloads now. */
  reported(position: number, ids: readonly string[]): void;
  /** From the report of a position until the client that reads everything had it. */
  delaysMs(): readonly number[];
  /** Forgets delays that were measured before. */
  forget(): void;
  close(): Promise<void>;
}

/** One of them parses what it gets; the others only read it, so that they cost the machine little. */
export async function openClients(
  apis: readonly string[],
  token: string,
  count: number,
  signal: AbortSignal,
): Promise<Clients> {
  const closing = new AbortController();
  const sent = new Map<string, { readonly position: number; readonly at: number }>();
  let delays: number[] = [];
  const onText = (text: string): void => {
    for (const line of text.split('\n')) {
      if (!line.startsWith('data: ')) continue;
      const event = JSON.parse(line.slice(6)) as LiveEvent;
      const last = event.type === 'model_download_progress' ? sent.get(event.id) : undefined;
      if (last !== undefined && 'bytes' in event && last.position === event.bytes)
        delays.push(performance.now() - last.at);
    }
  };
  const open = async (place: number): Promise<Response> => {
    const response = await fetch(`${apis[place % apis.length]}/api/events?topics=progress`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([closing.signal, signal]),
    });
    if (response.status !== 200) throw new Error(`the event stream answered ${response.status}`);
    return response;
  };
  const responses = await Promise.all(Array.from({ length: count }, (_, place) => open(place)));
  const reading = responses.map((response, place) => read(response, place === 1 ? onText : undefined));
  return {
    reported: (position, ids) => {
      for (const id of ids) sent.set(id, { position, at: performance.now() });
    },
    delaysMs: () => delays,
    forget: () => {
      delays = [];
      sent.clear();
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(reading);
    },
  };
}

async function read(response: Response, onText: ((text: string) => void) | undefined): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body!) {
    if (onText === undefined) continue;
    const text = rest + decoder.decode(chunk as Uint8Array, { stream: true });
    const end = text.lastIndexOf('\n\n') + 1;
    rest = text.slice(end);
    onText(text.slice(0, end));
  }
}
