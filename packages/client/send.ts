import { parseJson } from '#core/text/parse-json';
import { SECOND_MS } from '#core/units';
import { UnreachableError, apiErrorOf } from './api-error.ts';

export interface ClientOptions {
  /** Where the API is, such as `http://127.0.0.1:7420`; a path in front of it is kept. */
  readonly baseUrl: string;
  readonly token?: string | undefined;
  /** Longest wait for one answer; milliseconds. The wait of a long-poll is added. */
  readonly timeoutMs?: number | undefined;
  /** For tests and unusual networks; the global one where left out. */
  readonly fetch?: typeof fetch | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>> | undefined;
  readonly body?: unknown;
  /** Statuses whose answer is read like a success. */
  readonly alsoFine?: readonly number[] | undefined;
  /** Added to the timeout of this call. */
  readonly extraMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_TIMEOUT_MS = 30 * SECOND_MS;

/**
 * Sends one request and reads its JSON.
 *
 * @throws ApiError when the answer is not a success
 * @throws UnreachableError when no answer came in time; the reason of `signal` when the caller gave up
 */
export async function send<Answer>(options: ClientOptions, call: Call): Promise<Answer> {
  const { status, text, retryAfter } = await exchange(options, call);
  const body = parseJson(text);
  const fine = (status >= 200 && status < 300) || call.alsoFine?.includes(status) === true;
  if (!fine || body === undefined) throw apiErrorOf(status, body, retryAfter);
  return body as Answer;
}

/** The request and the whole answer; every error on the way counts as an API that was not reached. */
async function exchange(
  options: ClientOptions,
  call: Call,
): Promise<{ status: number; text: string; retryAfter: string | null }> {
  const url = urlOf(options.baseUrl, call);
  const timeout = AbortSignal.timeout((options.timeoutMs ?? DEFAULT_TIMEOUT_MS) + (call.extraMs ?? 0));
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: call.method,
      headers: headersOf(options, call),
      redirect: 'error',
      signal: call.signal ? AbortSignal.any([timeout, call.signal]) : timeout,
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    const { status, headers } = response;
    return { status, text: await response.text(), retryAfter: headers.get('retry-after') };
  } catch (cause) {
    if (call.signal?.aborted) throw call.signal.reason;
    throw new UnreachableError(options.baseUrl, timeout.aborted ? 'no answer in time' : reasonOf(cause), { cause });
  }
}

/** The platform's fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { message?: string; code?: string } } | undefined)?.cause;
  return cause?.message || cause?.code || String(error);
}

function urlOf(baseUrl: string, call: Call): URL {
  const url = new URL(baseUrl.replace(/\/+$/, '') + call.path);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value));
  }
  return url;
}

const headersOf = (options: ClientOptions, call: Call): Record<string, string> => ({
  accept: 'application/json, application/problem+json',
  ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
  ...call.headers,
});
