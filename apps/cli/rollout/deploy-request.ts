import { createHash, randomUUID } from 'node:crypto';
import type { CreateRolloutInput } from '#contracts/http/rollouts/create-rollout';
import { MAX_PRIORITY } from '#contracts/worker/download-job';
import { parseModel } from '../typed.ts';

/** What `haulier deploy` takes; texts as they were typed. */
export interface DeployOptions {
  readonly hosts: string;
  readonly exclude?: readonly string[];
  readonly threshold?: string;
  readonly batch?: string;
  readonly canary?: string;
  readonly deadline?: string;
  readonly onFailure?: 'stop' | 'continue';
  readonly offline?: 'wait' | 'skip' | 'fail';
  readonly mode?: 'download' | 'activate';
  readonly before?: string;
  readonly after?: string;
  readonly hold?: boolean;
  readonly priority?: string;
  readonly originCopies?: string;
  readonly idempotencyKey?: string;
}

/**
 * @param what `name@version`; without a version the pinned or newest one
 * @throws RangeError that names the option and what would be right
 */
export function deployRequest(what: string, options: DeployOptions): CreateRolloutInput {
  const { name, version } = parseModel(what);
  const { threshold, batch, canary } = options;
  return {
    models: [version === undefined ? name : `${name}@${version}`],
    selector: options.hosts,
    ...(options.exclude === undefined ? {} : { exclude: [...options.exclude] }),
    ...(threshold === undefined ? {} : { success: { percent: percentOf('--threshold', threshold) } }),
    ...(batch === undefined ? {} : { batch: sizeOf(batch) }),
    ...(canary === undefined ? {} : { canary: countOf('--canary', canary) }),
    ...(options.deadline === undefined ? {} : { deadline: options.deadline }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    ...(options.offline === undefined ? {} : { offline: options.offline }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    ...commandsOf(options),
    ...(options.hold ? { hold: true } : {}),
    ...numbersOf(options),
  };
}

function commandsOf({ before, after }: DeployOptions): Pick<CreateRolloutInput, 'commands'> {
  if (before === undefined && after === undefined) return {};
  return { commands: { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) } };
}

const numbersOf = ({
  priority,
  originCopies,
}: DeployOptions): Pick<CreateRolloutInput, 'priority' | 'originCopies'> => ({
  ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
  ...(originCopies === undefined ? {} : { originCopies: copiesOf(originCopies) }),
});

function priorityOf(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= MAX_PRIORITY) return Number(text);
  throw new RangeError(`--priority must be a whole number from 1 (first) to ${MAX_PRIORITY} (got "${text}")`);
}

function copiesOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new RangeError(`--origin-copies must be a whole number from 1 to 9999 (got "${text}")`);
}

function percentOf(option: string, text: string): number {
  const match = /^(\d+(?:\.\d{1,2})?)%?$/.exec(text);
  if (match && Number(match[1]) <= 100) return Number(match[1]);
  throw new RangeError(`${option} must be 0% to 100%, with at most two decimals (got "${text}")`);
}

function countOf(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new RangeError(`${option} must be a whole number of hosts, at least 1 (got "${text}")`);
}

function sizeOf(text: string): { hosts: number } | { percent: number } {
  if (!text.endsWith('%')) return { hosts: countOf('--batch', text) };
  const percent = percentOf('--batch', text);
  if (percent > 0) return { percent };
  throw new RangeError('--batch must be more than 0%');
}

/**
 * The key that makes a repeat of the command find its first rollout: what was given, else one of the CI run, the job, the step and
 * the request, so that a retried step attaches to the rollout that it made; else a new one, under which lost answers are asked again.
 */
export function idempotencyKey(
  given: string | undefined,
  body: CreateRolloutInput,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (given !== undefined) return given;
  const github = [env['GITHUB_RUN_ID'], env['GITHUB_RUN_ATTEMPT'], env['GITHUB_JOB'], env['GITHUB_ACTION']];
  const gitlab = [env['CI_PIPELINE_ID'], env['CI_JOB_NAME']];
  const run = env['GITHUB_RUN_ID'] ? github : env['CI_PIPELINE_ID'] ? gitlab : undefined;
  if (run === undefined) return randomUUID();
  return `ci-${createHash('sha256')
    .update(JSON.stringify([run, body]))
    .digest('hex')
    .slice(0, 40)}`;
}
