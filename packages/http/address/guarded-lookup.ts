import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';
import { refusalOf } from './address-policy.ts';
import { HttpFailure } from '../http-error.ts';

/** Resolves a name to all its addresses; a test may bring its own. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export const resolveWithSystem: Resolve = (host) => systemLookup(host, { all: true });

/**
 * Resolves a host and keeps only the addresses the policy allows, so that the address that is checked is the
 * address that is connected: nothing resolves the name a second time.
 *
 * @param policy undefined where the operator typed exactly this host and port
 * @param timeoutMs bound for the resolver
 * @throws HttpFailure `address-refused` when no address is allowed, `unreachable` when the name has none
 */
export async function allowedAddresses(
  host: string,
  port: number,
  policy: AddressPolicy | undefined,
  resolve: Resolve,
  timeoutMs: number,
): Promise<readonly LookupAddress[]> {
  const found = await resolveHost(host, resolve, timeoutMs);
  if (policy === undefined) return found;
  const refusals: string[] = [];
  const allowed = found.filter(({ address }) => {
    const refusal = refusalOf(policy, { host, port, address });
    if (refusal !== undefined) refusals.push(refusal);
    return refusal === undefined;
  });
  if (allowed.length === 0) throw new HttpFailure('address-refused', refusals[0] ?? `${host} has no address`);
  return allowed;
}

/** RFC 6761 section 6.3: names under localhost are loopback, whatever a resolver would say. */
export const isLoopbackName = (host: string): boolean => /(^|\.)localhost\.?$/i.test(host);

async function resolveHost(host: string, resolve: Resolve, timeoutMs: number): Promise<readonly LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  if (isLoopbackName(host))
    return [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HttpFailure('unreachable', `no answer from DNS for ${host} in ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    const found = await Promise.race([resolve(host), late]);
    if (found.length === 0) throw new HttpFailure('unreachable', `${host} has no address`);
    return found;
  } finally {
    clearTimeout(timer);
  }
}
