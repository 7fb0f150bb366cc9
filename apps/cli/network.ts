import type { ProxySettings } from '#http/proxy';
import { redactUserInfo } from '#http/redaction';
import { systemAuthorities } from '#http/system-authorities';
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
  throw new RangeError(`"${redactUserInfo(text)}" is not an http:// or https:// URL`);
}

/**
 * The authorities to trust: those of the system as well, where the option or HAULIER_USE_SYSTEM_CA asks for it.
 *
 * @returns undefined for Node's own
 * @throws RangeError on a Node that cannot read them, or for a value of the variable that is neither 1 nor 0
 */
export function authoritiesOf(option: boolean | undefined, env: NodeJS.ProcessEnv): readonly string[] | undefined {
  if (option !== true && !flagOf(env, 'HAULIER_USE_SYSTEM_CA')) return undefined;
  return systemAuthorities();
}

/** @throws RangeError that names the variable, its value and what would be right */
export function flagOf(env: NodeJS.ProcessEnv, name: string): boolean {
  const text = env[name] ?? '';
  if (text === '' || text === '0' || text === 'false') return false;
  if (text === '1' || text === 'true') return true;
  throw new RangeError(`${name} is "${text}": write 1 or 0`);
}

export const proxyOf = (env: NodeJS.ProcessEnv): ProxySettings => ({
  http: env['HTTP_PROXY'] ?? env['http_proxy'],
  https: env['HTTPS_PROXY'] ?? env['https_proxy'],
  noProxy: env['NO_PROXY'] ?? env['no_proxy'],
});
