import { Option, type Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { PROGRESS_MODES } from '../terminal/progress.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** `deploy` and `rollout`. */
export function addRolloutCommands(program: Command, context: CommandContext): void {
  addDeploy(program, context);
  const rollout = program.command('rollout').description('rollouts: list, status, wait, steer, hosts, errors');
  rollout
    .command('list')
    .description('list rollouts, newest first')
    .option('--state <states>', 'only these, separated by commas')
    .option('--model <name>', 'only of this model')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('../commands/rollouts/rollout.ts')).rolloutList(options, context));
  rollout
    .command('status <id>')
    .description('how it stands now')
    .option(...JSON_OPTION)
    .action(async (id, options) =>
      (await import('../commands/rollouts/rollout.ts')).rolloutStatus(id, options, context),
    );
  withVerdictOptions(rollout.command('wait <id>').description('wait for its verdict; the exit code says it')).action(
    async (id, options) => (await import('../commands/rollouts/rollout.ts')).rolloutWait(id, options, context),
  );
  addSteering(rollout, context);
  rollout
    .command('hosts <id>')
    .description('where each host stands')
    .option('--state <states>', 'only these, separated by commas')
    .option(...JSON_OPTION)
    .action(async (id, options) =>
      (await import('../commands/rollouts/rollout.ts')).rolloutHosts(id, options, context),
    );
  rollout
    .command('errors <id>')
    .description('why hosts failed, by reason')
    .option(...JSON_OPTION)
    .action(async (id, options) =>
      (await import('../commands/rollouts/rollout.ts')).rolloutErrors(id, options, context),
    );
}

function addDeploy(program: Command, context: CommandContext): void {
  const deploy = program
    .command('deploy <model>')
    .description('bring name@version to the hosts that a selector matches')
    .requiredOption('--hosts <selector>', 'such as gpu=true,zone!=eu or name~gpu-*')
    .option('--exclude <host>', 'leave this host out; repeatable', collect)
    .option('--threshold <percent>', 'share of the hosts that must succeed; default: 100%')
    .option('--canary <n>', 'a first wave of so many hosts')
    .option('--batch <size>', 'waves of this size: 10% or 50 hosts; default: all at once')
    .option('--deadline <duration>', 'when the rollout ends on the server; default: 24h')
    .addOption(new Option('--on-failure <what>', 'when success is out of reach').choices(['stop', 'continue']))
    .addOption(new Option('--offline <policy>', 'what offline hosts mean').choices(['wait', 'skip', 'fail']))
    .addOption(
      new Option('--mode <mode>', 'only store it, or show it on each host by an order').choices([
        'download',
        'activate',
      ]),
    )
    .option('--before <command>', 'with --mode activate: command of the worker before it shows the version')
    .option('--after <command>', 'with --mode activate: command of the worker after it shows the version')
    .option('--hold', 'once it succeeded, hosts that match later or return get the model too, until it is released')
    .option('--priority <n>', '1 is first; left out: before all numbers')
    .option('--origin-copies <n>', 'copies of each file that may leave the origin; default: 1')
    .option('--idempotency-key <key>', 'the same key finds the same rollout; default: one of the CI run')
    .option('--dry-run', 'show what would happen')
    .option('--wait', 'wait for the verdict; the exit code says it');
  withVerdictOptions(deploy).action(async (what, options) =>
    (await import('../commands/rollouts/deploy.ts')).deploy(what, options, context),
  );
}

const withVerdictOptions = (command: Command): Command =>
  command
    .option('--timeout <duration>', 'stop waiting after this long; the rollout goes on')
    .addOption(
      new Option('--until <when>', 'threshold: as soon as enough hosts have it')
        .choices(['all', 'threshold'])
        .default('all'),
    )
    .option('--max-disconnect <duration>', 'how long the API may be away while waiting', '2m')
    .option('--junit <file>', 'write one test case for each host')
    .option('--summary <file>', 'append a Markdown summary')
    .option('--outputs <file>', 'append ROLLOUT_ID, ROLLOUT_STATE and ROLLOUT_URL for later steps')
    .option('--cancel-on-interrupt', 'cancel the rollout when this command is interrupted')
    .option('--annotations', 'print an annotation of GitHub Actions for each reason of failures')
    .option(...JSON_OPTION)
    .addOption(
      new Option('--progress <mode>', 'how progress is shown on stderr').choices(PROGRESS_MODES).default('auto'),
    );

function addSteering(rollout: Command, context: CommandContext): void {
  const summaries = {
    pause: 'running hosts go on, no other begins',
    resume: 'go on, and open a gate',
    cancel: 'end it',
    approve: 'let it start',
    release: 'end its hold: hosts that come later do not get its models',
  } as const;
  for (const action of ['pause', 'resume', 'cancel', 'approve', 'release'] as const)
    rollout
      .command(`${action} <id>`)
      .description(summaries[action])
      .option(...JSON_OPTION)
      .action(async (id, options) =>
        (await import('../commands/rollouts/rollout.ts')).rolloutAct(id, action, options, context),
      );
  rollout
    .command('retry-failed <id>')
    .description('try the failed hosts again')
    .option('--host <name>', 'only this host; repeatable', collect)
    .option(...JSON_OPTION)
    .action(async (id, options) =>
      (await import('../commands/rollouts/rollout.ts')).rolloutRetry(id, options, context),
    );
}
