import { SourceError } from '#core/failure';
import type { ReadRequest, ResponseHead, Source } from '#core/source';
import type { Http } from '#http/pool';
import { redactUrl } from '#http/redaction';
import type { HttpResponse } from '#http/request';
import { readRanged } from './ranged-get.ts';

export interface MirrorOptions {
  readonly http: Http;
  readonly url: string;
  /** The operator or user typed this URL: its own address is not questioned. */
  readonly trusted?: boolean | undefined;
}

const MAX_CONNECTIONS = 8;

/**
 * Any URL that serves one file. Within the life of the source its strong validator is remembered and sent as `If-Range`
 * (HR2), so that bytes of two versions are never mixed; a weak one never is (HR3).
 */
export function mirror(options: MirrorOptions): Source {
  const { http, trusted } = options;
  const url = new URL(options.url);
  const name = redactUrl(url).replace(/^https?:\/\//, '');
  const fileName = url.pathname.split('/').at(-1)!;
  let servesRange: boolean | undefined;
  let validator: string | undefined;
  const learnRange = (serves: boolean): void => {
    servesRange = serves;
  };
  const refine =
    (request: ReadRequest, sent: string | undefined) =>
    (response: HttpResponse, head: ResponseHead): ResponseHead => {
      if (sent !== undefined && head.etag !== undefined && head.etag !== sent) {
        validator = undefined;
        if ((request.range?.start ?? 0) > 0) throw changed(name);
      }
      validator ??= head.etag ?? strongDate(response);
      return head;
    };
  return {
    name,
    kind: 'mirror',
    layer: 'huggingface',
    origin: url.origin,
    capabilities: () => ({ range: servesRange, blocks: false, maxConnections: MAX_CONNECTIONS }),
    async read(request, sink, signal) {
      const servedBefore = servesRange;
      const sent = request.range && request.range.start > 0 ? validator : undefined;
      const headers = { accept: '*/*', ...(sent !== undefined && { 'if-range': sent }) };
      const get = { http, source: name, url: url.href, fileName, trusted, headers, learnRange };
      try {
        await readRanged({ ...get, refine: refine(request, sent) }, request, sink, signal);
      } catch (error) {
        // 200 to If-Range in the middle of a file: the file is another one now (HR5).
        if (
          sent === undefined ||
          !(error instanceof SourceError) ||
          error.kind !== 'range-refused' ||
          error.httpStatus !== 200
        )
          throw error;
        validator = undefined;
        servesRange = servedBefore;
        throw changed(name);
      }
    },
  };
}

const changed = (name: string): SourceError =>
  new SourceError('bad-response', name, 'the file changed while it was read');

/** Last-Modified is strong only when the answer is clearly younger (HR4, RFC 9110 section 8.8.2.2). */
const STRONG_DATE_MS = 60_000;

function strongDate(response: HttpResponse): string | undefined {
  const modified = response.headers['last-modified'];
  const age = Date.parse(response.headers['date'] ?? '') - Date.parse(modified ?? '');
  return age >= STRONG_DATE_MS ? modified : undefined;
}
