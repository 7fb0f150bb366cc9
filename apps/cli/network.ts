import type { ProxySettings } from '#http/proxy';
import { badTokenReason } from '#core/hub-name';
import { parseGateway } from '#sources/gateways';
import { secret } from './stack/stack-config.ts';

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

/**
 * The access token of the hub, `HF_TOKEN` or the file that `HF_TOKEN_FILE` names.
 *
 * @throws RangeError for a text that is no token; CliError when the file cannot be read
 */
export function hubToken(env: NodeJS.ProcessEnv): string | undefined {
  const token = secret(env, 'HF_TOKEN');
  const reason = token === undefined ? undefined : badTokenReason(token);
  if (reason !== undefined) throw new RangeError(`HF_TOKEN ${reason}`);
  return token;
}

/**
 * The hub that was typed, else that of HF_ENDPOINT.
 *
 * @returns undefined where neither is given: the public hub is meant
 * @throws RangeError that names the option or the variable
 */
export function hubEndpoint(typed: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const [name, text] = typed === undefined ? ['HF_ENDPOINT', env['HF_ENDPOINT']?.trim()] : ['--hf-endpoint', typed];
  if (!text && typed === undefined) return undefined;
  try {
    return httpUrl(text ?? '');
  } catch (cause) {
    throw new RangeError(`${name}: ${(cause as RangeError).message}`, { cause });
  }
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
