import { parseCid } from '#content/cid/cid';
import { SourceError, VerifyError } from '#core/failure';
import { KIB } from '#core/units';
import { statusError } from '#http/http-error';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import type { Gateway } from './gateways.ts';

const MAX_REDIRECTS = 3;

/**
 * Resolves an IPNS name through a gateway. The result is not proven and may be stale, so it is used only as information.
 *
 * @param name what follows `/ipns/`: a key or a domain
 * @returns a CID in canonical form
 * @throws SourceError
 * @see IPFS path gateway specification, `X-Ipfs-Roots` and `Etag`
 */
export async function resolveIpns(http: Http, gateway: Gateway, name: string, signal: AbortSignal): Promise<string> {
  const source = gateway.baseUrl.replace(/^https?:\/\//, '');
  const url = `${gateway.baseUrl}/ipns/${encodeURIComponent(name)}`;
  const ask = {
    url,
    source,
    method: 'HEAD',
    headers: { accept: '*/*' },
    trusted: true,
    maxRedirects: MAX_REDIRECTS,
  } as const;
  const { response } = await requestBytes(http, ask, KIB, signal);
  if (response.status !== 200) throw statusError(source, response.status, response.headers, http.now());
  const cid = namedCids(response)
    .map(canonical)
    .find((found) => found !== undefined);
  if (cid !== undefined) return cid;
  throw new SourceError('bad-response', source, `does not name the CID of /ipns/${name}`);
}

/** CIDs that the answer names, the most reliable first; the last of the roots is that of the whole path. */
function namedCids({ headers, url }: HttpResponse): string[] {
  const roots = (headers['x-ipfs-roots'] ?? '').split(',').map((root) => root.trim());
  const etag = /^(?:W\/)?"(?:DirIndex-[^"]*_CID-)?([^"./]+)(?:\.[^"]*)?"$/.exec(headers['etag'] ?? '')?.[1];
  const path = /\/ipfs\/([^/]+)/.exec(url.pathname)?.[1];
  return [roots.at(-1), path, etag].filter((text): text is string => text !== undefined && text !== '');
}

function canonical(text: string): string | undefined {
  try {
    return parseCid(text).cid;
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError) return undefined;
    throw error;
  }
}
