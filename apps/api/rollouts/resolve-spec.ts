import type { CreateRolloutBody, WaveInput } from '#contracts/http/rollouts/create-rollout';
import type { FieldError } from '#contracts/http/problem';
import { WHOLE, type RolloutSpec, type WaveSpec } from '#core/rollout/rollout-spec';
import { RequestError } from '../server/errors/request-error.ts';
import { windowProblem } from './window.ts';

const MAX_WAVES = 1000;

const basisPoints = (percent: number): number => Math.round((percent * WHOLE) / 100);

/**
 * Fills in what a request left out.
 *
 * @param hosts how many matched: batches of a number of hosts become so many waves
 * @throws RequestError for windows that cannot be read and for too many waves
 */
export function resolveSpec(body: CreateRolloutBody, hosts: number): RolloutSpec {
  const { abort, host, concurrency, windows = [] } = body;
  refuseWindows(windows);
  return {
    selector: body.selector,
    exclude: body.exclude,
    policy: {
      waves: wavesOf(body, hosts),
      successShare: basisPoints(body.success.percent),
      abort: abort && {
        failedShare: abort.failedPercent === undefined ? undefined : basisPoints(abort.failedPercent),
        failedHosts: abort.failedHosts,
        minSample: abort.minSample,
        action: abort.action,
      },
      onFailure: body.onFailure,
      concurrency,
    },
    offline: body.offline,
    host: { stallMs: host.stall, deadlineMs: host.deadline },
    deadlineMs: body.deadline,
    isDynamic: body.dynamic || body.hold,
    hold: body.hold,
    supersede: body.supersede,
    windows: windows.map(({ cron, for: forMs, tz }) => ({ cron, forMs, tz })),
    needsApproval: body.approval === 'required',
    mode: body.mode,
    commands: body.commands,
    priority: body.priority,
    originCopies: body.originCopies,
  };
}

function wavesOf({ waves, canary, batch }: CreateRolloutBody, hosts: number): WaveSpec[] {
  const given = waves ?? [
    ...(canary === undefined ? [] : [wave({ name: 'canary', hosts: canary })]),
    ...(batch === undefined ? [wave({ name: 'all', percent: 100 })] : batches(batch, hosts - (canary ?? 0))),
  ];
  return given.map((one, index) => ({
    name: one.name ?? `wave-${index + 1}`,
    size: one.hosts === undefined ? { share: basisPoints(one.percent!) } : { hosts: one.hosts },
    gate: one.gate,
    soakMs: one.soak,
    ramp: one.ramp,
    prefer: one.prefer,
  }));
}

/** @param left hosts after the canary */
function batches(batch: NonNullable<CreateRolloutBody['batch']>, left: number): WaveInput[] {
  const { hosts, percent } = batch;
  const count = Math.max(1, hosts === undefined ? Math.ceil(100 / percent!) : Math.ceil(left / hosts));
  if (count > MAX_WAVES) {
    const detail = `makes ${count} waves, and at most ${MAX_WAVES} are possible: take larger ones`;
    throw new RequestError('invalid-request', `/batch: ${detail}`, { errors: [{ pointer: '/batch', detail }] });
  }
  return Array.from({ length: count }, (_, index) =>
    wave(hosts === undefined ? { percent: Math.min(100, percent! * (index + 1)) } : { hosts }),
  );
}

const wave = (size: Pick<WaveInput, 'name' | 'hosts' | 'percent'>): WaveInput => ({ ...size, gate: 'auto', soak: 0 });

function refuseWindows(windows: NonNullable<CreateRolloutBody['windows']>): void {
  const errors: FieldError[] = windows.flatMap((window, index) => {
    const detail = windowProblem(window);
    return detail === undefined ? [] : [{ pointer: `/windows/${index}`, detail, value: window.cron }];
  });
  const [first] = errors;
  if (first !== undefined) throw new RequestError('invalid-request', `${first.pointer}: ${first.detail}`, { errors });
}
