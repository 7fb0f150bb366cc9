import { describe, expect, it } from '@jest/globals';
import { CreateRolloutBody } from '#contracts/http/rollouts/create-rollout';
import { Command } from 'commander';
import {
  curlLine,
  deployLine,
  EMPTY_FORM,
  rolloutRequestOf,
  type RolloutForm,
} from '../../../apps/dashboard/data/forms/deploy-line.ts';
import { deployRequest, type DeployOptions } from '../../../apps/cli/rollout/deploy-request.ts';

const FORMS: readonly Partial<RolloutForm>[] = [
  {},
  { version: '1.2', selector: 'gpu=true,site in (eu-1,eu-2)' },
  { selector: `name~gpu-*,!spare`, threshold: '99.5', canary: '2', batch: '10%' },
  {
    batch: '50',
    deadline: '30m',
    offline: 'skip',
    onFailure: 'continue',
    mode: 'activate',
    priority: '3',
    originCopies: '2',
  },
  { threshold: '95%', deadline: '', hold: 'true' },
];

/** Words of a line, as a POSIX shell splits those that this program writes. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) => word.replaceAll(/'([^']*)'|\\(')/g, '$1$2'));

/** What the real command line makes of the words. */
function requestOfLine(line: string): unknown {
  const [program, verb, model, ...options] = wordsOf(line);
  expect([program, verb, options.at(-1)]).toEqual(['haulier', 'deploy', '--wait']);
  const command = new Command().exitOverride();
  for (const name of [
    'hosts',
    'threshold',
    'canary',
    'batch',
    'deadline',
    'offline',
    'on-failure',
    'mode',
    'priority',
    'origin-copies',
  ])
    command.option(`--${name} <value>`);
  command.option('--hold').option('--wait').parse(options, { from: 'user' });
  return deployRequest(model!, command.opts<DeployOptions>());
}

describe('the page for a new rollout', () => {
  it.each(FORMS)('prints a command line that asks for what the page sends: %j', (change) => {
    const form = { ...EMPTY_FORM, model: 'whisper-base', ...change };
    const sent = CreateRolloutBody.parse(rolloutRequestOf(form));
    expect(CreateRolloutBody.parse(requestOfLine(deployLine(form)))).toEqual(sent);
  });

  it('prints a curl command with the same body, and without a token', () => {
    const form = { ...EMPTY_FORM, model: 'whisper-base', selector: `note=it's` };
    const line = curlLine(form, 'https://haulier.example');
    const body = wordsOf(line.replaceAll('\\\n', '')).at(-1)!;
    expect(JSON.parse(body)).toEqual(rolloutRequestOf(form));
    expect(line).toContain('"Authorization: Bearer $HAULIER_TOKEN"');
  });

  it('sends a number that is none as it was typed, so that the API says which field is wrong', () => {
    const { error } = CreateRolloutBody.safeParse(
      rolloutRequestOf({ ...EMPTY_FORM, model: 'a', canary: 'two', batch: 'x%' }),
    );
    expect(error!.issues.map(({ path }) => path.join('.'))).toEqual(['canary', 'batch.percent']);
  });
});
