import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

/** A message of a webhook as it came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** An endpoint of webhooks: it keeps what it gets, and answers as it is told. */
export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** What the next messages are answered with; 204 when nothing is left. A function answers, or does not, itself. */
  readonly answers: (number | { readonly status: number; readonly headers: Record<string, string> } | Answering)[];
  /** Messages that are being answered at this moment, and the most there ever were. */
  readonly open: { now: number; most: number };
  close(): Promise<void>;
}

type Answering = (response: ServerResponse) => void;

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Receiver['answers'][number][] = [];
  const open = { now: 0, most: 0 };
  const server = createServer(async (request, response) => {
    open.now += 1;
    open.most = Math.max(open.most, open.now);
    response.on('close', () => {
      open.now -= 1;
    });
    const body = await text(request);
    const { type, data } = JSON.parse(body) as Pick<Received, 'type' | 'data'>;
    const { headers } = request;
    received.push({ path: request.url!, headers, body, id: String(headers['webhook-id']), type, data });
    const answer = answers.shift() ?? 204;
    if (typeof answer === 'function') answer(response);
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else response.writeHead(answer.status, answer.headers).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    received,
    answers,
    open,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Verifies a message as a receiver does, with the library of the specification. @returns what it says */
export const verified = (secret: string, { body, headers }: Received): unknown =>
  new Webhook(secret).verify(body, headers as Record<string, string>);
