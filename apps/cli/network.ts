import type { ProxySettings } from '#http/proxy';
import { parseGateway } from '#sources/gateways';
import { settingsFrom } from './settings.ts';

/**
 * The gateways that were typed, else those of IPFS_GATEWAYS.
 *
 * @throws RangeError for a typed one that is no gateway, or is known to be gone
 * @throws CliError for a bad IPFS_GATEWAYS
 */
export function gatewaysOf(typed: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  for (const text of typed) parseGateway(text);
  if (typed.length > 0) return typed;
  return settingsFrom(env, 'IPFS_GATEWAYS').IPFS_GATEWAYS;
}

/** @throws RangeError */
export function httpUrl(text: string): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text;
  throw new RangeError(`"${text}" is not an http:// or https:// URL`);
}

/** @throws CliError that names the variable and what would be right */
export function proxyOf(env: NodeJS.ProcessEnv): ProxySettings {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY } = settingsFrom(env, 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY');
  return { http: HTTP_PROXY, https: HTTPS_PROXY, noProxy: NO_PROXY };
}
