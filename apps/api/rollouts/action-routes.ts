import type { FastifyRequest } from 'fastify';
import { Rollout } from '#contracts/http/rollouts/rollout';
import { RetryRolloutBody, RolloutParams } from '#contracts/http/rollouts/rollout-lists';
import { isFinalRollout } from '#core/rollout/rollout-state';
import {
  approveRollout,
  cancelRollout,
  pauseRollout,
  releaseRollout,
  resumeRollout,
  retryRollout,
  type Action,
  type ActionResult,
} from '#database/rollouts/rollout-actions';
import { listRolloutHosts, rolloutById } from '#database/rollouts/rollout-queries';
import type { RolloutRow } from '#database/rollouts/rollout-row';
import type { Database } from '#database/sql/connect';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import { refuseOutsideLimits } from '../access/token-limits.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedWithLimitsBy, problems } from '../server/describe.ts';
import { changedMeanwhile, ifMatchOf } from '../server/requests/if-match.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { seeRollout } from './await-rollout.ts';
import { stopEnded } from './conductor.ts';
import { unknownRollout } from './one-rollout-routes.ts';

const MAX_HOSTS = 1_000_000;

type Act = (database: Database, action: Action) => Promise<ActionResult>;

export function registerRolloutActions(app: App, deps: Dependencies): void {
  registerAction(app, deps, 'pause', pauseRollout, 'Hold it: running hosts go on, no other begins');
  registerAction(app, deps, 'resume', resumeRollout, 'Go on; a gate opens, and the abort limits count from here');
  registerAction(app, deps, 'cancel', cancelRollout, 'End it: what hosts do not have yet is not wanted any more');
  registerAction(app, deps, 'approve', approveRollout, 'Let a rollout that needs an approval start');
  registerAction(app, deps, 'release', releaseRollout, 'End its hold: hosts that come later do not get its models');
  registerRetry(app, deps);
}

const describe = (name: string, summary: string) => ({
  operationId: `${name}Rollout`,
  summary,
  description: 'With `If-Match` it is refused when the rollout has changed since.',
  tags: ['rollouts'],
  security: TOKEN_REQUIRED,
  params: RolloutParams,
  response: { 200: Rollout, ...problems(400, 404, 409, 412) },
});

function registerAction(
  app: App,
  deps: Dependencies,
  name: 'pause' | 'resume' | 'cancel' | 'approve' | 'release',
  act: Act,
  summary: string,
): void {
  const schema = describe(name, summary);
  app.post(`/api/rollouts/:id/${name}`, { ...guardedWithLimitsBy('write'), schema }, async (request, reply) => {
    await mayChange(deps, request, request.params.id);
    const action = actionOf(deps, request, request.params.id);
    return reply.send(await settled(deps, request, name, action.id, await act(deps.database, action)));
  });
}

function registerRetry(app: App, deps: Dependencies): void {
  const schema = {
    ...describe('retry', 'Try failed hosts again; a rollout that had ended runs again'),
    body: RetryRolloutBody,
  };
  app.post('/api/rollouts/:id/retry', { ...guardedWithLimitsBy('write'), schema }, async (request, reply) => {
    await mayChange(deps, request, request.params.id);
    const action = actionOf(deps, request, request.params.id);
    const result = await retryRollout(deps.database, action, request.body ?? {});
    return reply.send(await settled(deps, request, 'retry', action.id, result));
  });
}

function actionOf({ now }: Dependencies, request: FastifyRequest, id: string): Action {
  const tag = ifMatchOf(request);
  // A tag that is no number is none of ours, and matches no version.
  const onlyIfVersion = tag === undefined ? undefined : /^\d+$/.test(tag) ? Number(tag) : -1;
  return { id, actor: request.caller!.name, onlyIfVersion, now: now() };
}

/** @returns the rollout as it stands now */
async function settled(
  deps: Dependencies,
  request: FastifyRequest,
  name: string,
  id: string,
  result: ActionResult,
): Promise<Rollout> {
  if (!result.done) {
    if (result.why === 'missing') throw unknownRollout(id);
    if (result.why === 'changed') throw changedMeanwhile();
    if (!isSoAlready(name, result.row))
      throw new RequestError(
        'illegal-move',
        name === 'release'
          ? 'the rollout does not hold: only one with `hold: true` that succeeded can be released'
          : `the rollout cannot ${name}: it is ${result.row.state.replaceAll('_', ' ')}`,
      );
  }
  deps.nudgeConductor();
  deps.changes.notify([id], 'rollouts');
  if (result.done) await stopEnded(deps, result.ended);
  const { view } = (await seeRollout(deps, id))!;
  noteForAudit(request, { after: { state: view.state, reason: view.reason, isHolding: view.isHolding } });
  return view;
}

/**
 * Writes the state before the change into the audit.
 *
 * @throws RequestError `unknown-rollout`; `forbidden` where a model or a host is outside the limits of the token
 */
async function mayChange({ database }: Dependencies, request: FastifyRequest, id: string): Promise<void> {
  const row = await rolloutById(database, id);
  if (row === undefined) throw unknownRollout(id);
  const { state, pauseReason, isHolding } = row;
  noteForAudit(request, { before: { state, reason: pauseReason ?? state, isHolding } });
  await refuseOutsideLimits(database, request.caller!, async () => ({
    models: row.models.map(({ name }) => name),
    hosts: (await listRolloutHosts(database, id, { afterName: '', limit: MAX_HOSTS })).map(({ host }) => host),
  }));
}

/** Repeating an action changes nothing. */
const isSoAlready = (name: string, { state, spec, isHolding }: RolloutRow): boolean =>
  (name === 'cancel' && state === 'cancelled') ||
  (name === 'pause' && state === 'paused') ||
  (name === 'release' && spec.hold === true && isFinalRollout(state) && !isHolding);
