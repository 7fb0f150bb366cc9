import { createHash } from 'node:crypto';
import type { CreateRolloutBody } from '#contracts/http/rollouts/create-rollout';
import type { RolloutModel, RolloutSpec } from '#core/rollout/rollout-spec';
import type { HostRow } from '#database/hosts/host-queries';
import { createRollout, type CreateResult } from '#database/rollouts/create-rollout';
import type { Caller } from '../access/authenticate.ts';
import { refuseOutsideLimits } from '../access/token-limits.ts';
import type { Dependencies } from '../dependencies.ts';
import { orderFiles } from '../downloads/order-files.ts';
import { isOnline } from '../hosts/view.ts';
import { findVersion } from '../models/find-version.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { inOrderOfWaves, knownHosts, membersOf, siteOf } from './members.ts';
import { resolveSpec } from './resolve-spec.ts';

/** A request that was looked up: what it would bring where. */
export interface ResolvedRollout {
  readonly spec: RolloutSpec;
  readonly models: readonly RolloutModel[];
  /** In the order in which waves take them. */
  readonly hosts: readonly HostRow[];
}

/**
 * Looks up the models and the hosts of a request.
 *
 * @throws RequestError for unknown models, windows that cannot be read, and a selector that matches no host
 */
export async function resolveRollout(deps: Dependencies, body: CreateRolloutBody): Promise<ResolvedRollout> {
  const { database } = deps;
  const models: RolloutModel[] = [];
  for (const { name, version } of body.models) {
    const { manifest } = await findVersion(database, name, version);
    const { files } = await orderFiles(database, { model: name, version: manifest.version });
    const sizeBytes = files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
    models.push({ name, version: manifest.version, files: files.length, sizeBytes });
  }
  const matching = membersOf(await knownHosts(database), body);
  if (matching.length === 0 && !body.allowEmpty)
    throw new RequestError(
      'no-hosts-matched',
      `no host matches ${body.selector || 'anything'}; GET /api/hosts shows hosts and their labels`,
    );
  const spec = resolveSpec(body, matching.length);
  const isReady = (host: HostRow): boolean => isOnline(host, deps) && !host.draining;
  return { spec, models, hosts: inOrderOfWaves(matching, spec.policy.waves, isReady) };
}

/**
 * As `resolveRollout`, within the limits of the caller's token. Hosts that join a dynamic or holding rollout later have to match the
 * selector of the token as well.
 *
 * @throws RequestError `forbidden` when a model or a host is outside
 */
export async function resolveFor(
  deps: Dependencies,
  body: CreateRolloutBody,
  caller: Caller,
): Promise<ResolvedRollout> {
  const limit = caller.limits?.selector ?? '';
  const selector =
    (body.dynamic || body.hold) && limit !== ''
      ? [body.selector, limit].filter((text) => text !== '').join(',')
      : body.selector;
  const resolved = await resolveRollout(deps, { ...body, selector });
  await refuseOutsideLimits(deps.database, caller, () => ({
    models: resolved.models.map(({ name }) => name),
    hosts: resolved.hosts.map(({ name }) => name),
  }));
  return resolved;
}

/** What came of a request, when something did. */
export type Created = Extract<CreateResult, { id: string }>;

/**
 * Writes a rollout; the conductor starts it. Redis is not touched.
 *
 * @param options.key the `Idempotency-Key` of the request
 * @param options.traceparent names its span, where it is traced
 * @throws RequestError also for a key that came with another body, or whose first request is still running
 */
export async function requestRollout(
  deps: Dependencies,
  body: CreateRolloutBody,
  caller: Caller,
  options: { readonly key: string | undefined; readonly traceparent: string | undefined },
): Promise<Created> {
  const { key, traceparent } = options;
  const { spec, models, hosts } = await resolveFor(deps, body, caller);
  const bodyHash = hashOf(body);
  const result = await createRollout(
    deps.database,
    {
      spec,
      models,
      specHash: hashOf({ models, body: { ...body, models: undefined } }),
      startsAt: body.startsAt === undefined ? undefined : new Date(body.startsAt),
      members: hosts.map((host) => ({ host: host.name, site: siteOf(host) })),
      createdBy: caller.name,
      traceparent,
      key: key === undefined ? undefined : { tokenId: caller.id, key, bodyHash },
    },
    deps.now(),
  );
  if (!('id' in result)) throw keyError(result.made);
  deps.nudgeConductor();
  deps.changes.notify([result.id], 'rollouts');
  return result;
}

const hashOf = (value: object): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

const keyError = (made: 'key-reused' | 'in-progress'): RequestError =>
  made === 'key-reused'
    ? new RequestError(
        'key-reused',
        'this Idempotency-Key came with another body before: take a new key for a new request',
      )
    : new RequestError(
        'request-in-progress',
        'the first request with this Idempotency-Key is still running: ask again',
      );
