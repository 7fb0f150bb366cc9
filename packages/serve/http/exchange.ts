import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WrongBytes } from './wrong-bytes.ts';

/** One request and its response, as every part of the server sees it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As sent, without the query; double slashes are one. Not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** `http://host:port` by which the client reached the server. */
  readonly origin: string;
  /** The client may read private models. */
  readonly isTrusted: boolean;
  /** Waits until that many bytes may be sent to this client. */
  readonly pace: ((bytes: number) => Promise<void>) | undefined;
  /** What this client was sent before and turned out to be wrong. */
  readonly wrongBytes: WrongBytes;
  /** When the request arrived; milliseconds of `performance.now()`. */
  readonly startedAt: number;
  /** Aborts when the server stops: an answer without an end of its own ends then. */
  readonly stopping: AbortSignal;
}

export type Headers = Readonly<Record<string, string | number>>;

/** For what may be right soon. huggingface_hub 2 waits for this long, and a second, five times before its user sees why. */
export const SOON: Headers = { 'retry-after': 5 };

export const isHead = ({ request }: Exchange): boolean => request.method === 'HEAD';

/** A header of the request; of a repeated one the values are joined. */
export function headerOf({ request }: Exchange, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Ends the response with a short text. Nothing of it is stored by caches. */
export function answerText(exchange: Exchange, status: number, text: string, headers: Headers = {}): void {
  answerBytes(exchange, status, Buffer.from(text.endsWith('\n') ? text : `${text}\n`), {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
}

export function answerJson(exchange: Exchange, status: number, value: unknown, headers: Headers = {}): void {
  answerBytes(exchange, status, Buffer.from(JSON.stringify(value)), {
    'content-type': 'application/json; charset=utf-8',
    ...headers,
  });
}

/** Ends the response with bytes that are in memory; to a HEAD without them. */
export function answerBytes(exchange: Exchange, status: number, bytes: Uint8Array, headers: Headers): void {
  const { response } = exchange;
  response.writeHead(status, { ...headers, 'content-length': bytes.length });
  if (isHead(exchange)) response.end();
  else response.end(bytes);
}

/** Ends the response without a body, as 304 demands. */
export function answerNothing({ response }: Exchange, status: number, headers: Headers): void {
  response.writeHead(status, { ...headers });
  response.end();
}

/** The names of a path, percent-decoded. A plus is a plus. @returns undefined when it is not encoded as a URL demands */
export function decodedNames(path: string): readonly string[] | undefined {
  try {
    return path
      .split('/')
      .filter((name) => name !== '')
      .map((name) => decodeURIComponent(name));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
