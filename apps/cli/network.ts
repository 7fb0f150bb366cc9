import { parseAddressPolicy } from '#http/address/address-policy';
import type { ProxySettings } from '#http/connection/proxy';
import { systemAuthorities } from '#http/connection/system-authorities';
import { httpUrl } from '#core/settings/setting-kinds';
import { parseGateway } from '#sources/gateway/gateways';
import { settingsFrom } from './settings.ts';
import { optionOf } from './typed.ts';

/**
 * The gateways of the command line, else those of IPFS_GATEWAYS.
 *
 * @throws RangeError for an option that is no gateway, or names one that has been shut down
 * @throws CliError for a bad IPFS_GATEWAYS
 */
export function gatewaysOf(typed: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  for (const text of typed) parseGateway(text);
  if (typed.length > 0) return typed;
  return settingsFrom(env, 'IPFS_GATEWAYS').IPFS_GATEWAYS;
}

/**
 * The access token of the hub, `HF_TOKEN` or the file that `HF_TOKEN_FILE` names.
 *
 * @throws CliError for a text that is no token, or when the file cannot be read
 */
export const hubToken = (env: NodeJS.ProcessEnv): string | undefined => settingsFrom(env, 'HF_TOKEN').HF_TOKEN;

/**
 * The hub of the command line, else that of HF_ENDPOINT, else the public one.
 *
 * @throws RangeError that names the option; CliError that names the variable
 */
export function hubEndpoint(typed: string | undefined, env: NodeJS.ProcessEnv): string {
  if (typed === undefined) return settingsFrom(env, 'HF_ENDPOINT').HF_ENDPOINT;
  return optionOf('--hf-endpoint', httpUrl, typed);
}

/**
 * The certificate authorities to trust: with the option or HAULIER_USE_SYSTEM_CA those of the system as well.
 *
 * @returns undefined for Node's own
 * @throws RangeError on a Node that cannot read them; CliError for a value of the variable that is neither 1 nor 0
 */
export function authoritiesOf(option: boolean | undefined, env: NodeJS.ProcessEnv): readonly string[] | undefined {
  if (option !== true && !settingsFrom(env, 'HAULIER_USE_SYSTEM_CA').HAULIER_USE_SYSTEM_CA) return undefined;
  return systemAuthorities();
}

/**
 * The private addresses of HAULIER_ALLOW_ADDRESSES, to which redirects may lead.
 *
 * @throws RangeError that names the variable, the entry and the accepted forms
 */
export function readAllowedAddresses(env: NodeJS.ProcessEnv): readonly string[] {
  const allowed = settingsFrom(env, 'HAULIER_ALLOW_ADDRESSES').HAULIER_ALLOW_ADDRESSES;
  try {
    parseAddressPolicy(allowed);
  } catch (cause) {
    throw new RangeError(`HAULIER_ALLOW_ADDRESSES: ${(cause as RangeError).message}`, { cause });
  }
  return allowed;
}

/** @throws CliError that names the variable and what would be right */
export function proxyOf(env: NodeJS.ProcessEnv): ProxySettings {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY } = settingsFrom(env, 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY');
  return { http: HTTP_PROXY, https: HTTPS_PROXY, noProxy: NO_PROXY };
}
