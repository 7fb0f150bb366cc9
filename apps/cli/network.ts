import type { ProxySettings } from '#http/proxy';
import { parseGateway } from '#sources/gateways';

/**
 * The gateways that were typed, else those of IPFS_GATEWAYS.
 *
 * @throws RangeError for a typed one that is no gateway, or is known to be gone
 */
export function gatewaysOf(typed: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  for (const text of typed) parseGateway(text);
  if (typed.length > 0) return typed;
  return (env['IPFS_GATEWAYS'] ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
}

/** @throws RangeError */
export function httpUrl(text: string): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text;
  throw new RangeError(`"${text}" is not an http:// or https:// URL`);
}

export const proxyOf = (env: NodeJS.ProcessEnv): ProxySettings => ({
  http: env['HTTP_PROXY'] ?? env['http_proxy'],
  https: env['HTTPS_PROXY'] ?? env['https_proxy'],
  noProxy: env['NO_PROXY'] ?? env['no_proxy'],
});
