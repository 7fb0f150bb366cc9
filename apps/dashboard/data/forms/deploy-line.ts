import type { CreateRolloutInput } from '#contracts/http/rollouts/create-rollout';

/** What the page "New rollout" asks for; texts as they were typed. */
export interface RolloutForm {
  readonly model: string;
  readonly version: string;
  readonly selector: string;
  readonly threshold: string;
  readonly canary: string;
  readonly batch: string;
  readonly deadline: string;
  readonly offline: 'wait' | 'skip' | 'fail';
  readonly onFailure: 'stop' | 'continue';
  readonly mode: '' | 'download' | 'activate';
  readonly priority: string;
  readonly originCopies: string;
  readonly hold: '' | 'true';
}

export const EMPTY_FORM: RolloutForm = {
  ...{ model: '', version: '', selector: '', threshold: '98', canary: '', batch: '', deadline: '24h' },
  ...{ offline: 'wait', onFailure: 'stop', mode: '', priority: '', originCopies: '', hold: '' },
};

const nameOf = ({ model, version }: RolloutForm): string => (version === '' ? model : `${model}@${version}`);

/** What is sent; a number that is none is sent as it was typed, so that the API names the field and what would be right. */
export function rolloutRequestOf(form: RolloutForm): CreateRolloutInput {
  const { selector, threshold, canary, batch, deadline, offline, onFailure, mode, priority, hold } = form;
  return {
    models: [nameOf(form)],
    selector,
    ...(threshold === '' ? {} : { success: { percent: numberOf(threshold.replace(/%$/, '')) } }),
    ...(canary === '' ? {} : { canary: numberOf(canary) }),
    ...(batch === ''
      ? {}
      : { batch: batch.endsWith('%') ? { percent: numberOf(batch.slice(0, -1)) } : { hosts: numberOf(batch) } }),
    ...(deadline === '' ? {} : { deadline }),
    ...{ offline, onFailure },
    ...(mode === '' ? {} : { mode }),
    ...(priority === '' ? {} : { priority: numberOf(priority) }),
    ...(form.originCopies === '' ? {} : { originCopies: numberOf(form.originCopies) }),
    ...(hold === '' ? {} : { hold: true }),
  };
}

function numberOf(text: string): number {
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? (text as unknown as number) : value;
}

/** @returns the command line that asks for the same */
export function deployLine(form: RolloutForm): string {
  const { selector, threshold, canary, batch, deadline, offline, onFailure, mode, priority, hold } = form;
  const options: readonly (readonly [string, string])[] = [
    ['--hosts', selector],
    ...(threshold === '' ? [] : ([['--threshold', `${threshold.replace(/%$/, '')}%`]] as const)),
    ...(canary === '' ? [] : ([['--canary', canary]] as const)),
    ...(batch === '' ? [] : ([['--batch', batch]] as const)),
    ...(deadline === '' ? [] : ([['--deadline', deadline]] as const)),
    ['--offline', offline],
    ['--on-failure', onFailure],
    ...(mode === '' ? [] : ([['--mode', mode]] as const)),
    ...(priority === '' ? [] : ([['--priority', priority]] as const)),
    ...(form.originCopies === '' ? [] : ([['--origin-copies', form.originCopies]] as const)),
  ];
  return [
    'haulier deploy',
    shellWord(nameOf(form)),
    ...options.flatMap(([name, value]) => [name, shellWord(value)]),
    ...(hold === '' ? [] : ['--hold']),
    '--wait',
  ].join(' ');
}

/** @returns the request for `curl`; the token stays in a variable of the shell */
export const curlLine = (form: RolloutForm, origin: string): string =>
  [
    `curl -X POST ${origin}/api/rollouts`,
    `-H "Authorization: Bearer $HAULIER_TOKEN"`,
    `-H 'Content-Type: application/json'`,
    `-d ${shellWord(JSON.stringify(rolloutRequestOf(form)))}`,
  ].join(' \\\n  ');

const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
