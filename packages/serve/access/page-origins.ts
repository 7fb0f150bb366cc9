import type { IncomingMessage, ServerResponse } from 'node:http';

const ALL = '*';
/** An answer to a preflight is good for this long. */
const MAX_AGE_S = '86400';

/** What pages send: hubs are asked by POST as well, gateways by GET and HEAD alone. */
const PREFLIGHT = {
  'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
  'access-control-allow-headers':
    'Authorization, Cache-Control, Content-Type, If-None-Match, If-Range, Range, User-Agent, X-Requested-With',
};

/** What clients of hubs and gateways read; the last two are named by the specification of path gateways. */
const EXPOSED = [
  ...['Accept-Ranges', 'Content-Disposition', 'Content-Length', 'Content-Range', 'ETag', 'Link', 'Repr-Digest'],
  ...['Retry-After', 'X-Error-Code', 'X-Error-Message', 'X-Linked-ETag', 'X-Linked-Size', 'X-Repo-Commit'],
  ...['X-Ipfs-Path', 'X-Ipfs-Roots', 'X-Chunked-Output', 'X-Stream-Output'],
].join(', ');

/**
 * Lets pages of other origins read in a browser. Without any origin a browser gives no page what it reads here.
 *
 * @param origins such as `https://app.example`; `*` is every page
 * @returns writes the headers of an answer; true when the request was a preflight, which is answered then
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function pageOrigins(
  origins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  if (origins.length === 0) return () => false;
  const isForAll = origins.includes(ALL);
  return ({ method, headers }, response) => {
    const { origin } = headers;
    if (!isForAll) response.setHeader('vary', 'Origin');
    const allowed = isForAll ? ALL : origins.find((one) => one === origin);
    if (allowed === undefined) return false;
    response.setHeader('access-control-allow-origin', allowed);
    response.setHeader('access-control-expose-headers', EXPOSED);
    for (const [name, value] of Object.entries(PREFLIGHT)) response.setHeader(name, value);
    if (method !== 'OPTIONS') return false;
    response.writeHead(204, { 'access-control-max-age': MAX_AGE_S }).end();
    return true;
  };
}
