import type { CommanderError } from 'commander';
import { Argument, Command } from 'commander';
import { packageVersion } from '#os/package-folder';
import type { CommandContext } from './context.ts';
import { addAccessCommands } from './access/access-program.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addEnrolmentCommands } from './enrolment/enrolment-program.ts';
import { addDownloadCommands } from './downloads/download-program.ts';
import { addHelp } from './help.ts';
import { addHostCommands } from './host-program.ts';
import { addModelCommands } from './ingest/model-program.ts';
import { PROGRESS, collect } from './options.ts';
import { addRolloutCommands } from './rollout/rollout-program.ts';
import { addServeCommand } from './serve-program.ts';
import { addSiteCommands } from './sites/site-program.ts';
import { addWebhookCommands } from './webhook-program.ts';

type AddCommands = (program: Command, context: CommandContext) => void;

const ALL: readonly AddCommands[] = [
  addStackCommands,
  addDownloadCommands,
  addFetchCommand,
  addModelCommands,
  addBundleCommands,
  addRolloutCommands,
  addSiteCommands,
  addSwarmCommand,
  addHostCommands,
  addWebhookCommands,
  addWorkerCommands,
  addServeCommand,
  addAccessCommands,
  addEnrolmentCommands,
];

/**
 * The command line. Every command loads only what it needs, when it runs.
 *
 * @param asked first word of the command line: `fetch`, which competes with curl, starts without the other commands
 */
export function createProgram(context: CommandContext, asked?: string): Command {
  const program = new Command('haulier')
    .description('Puts model files on fleets of hosts from untrusted sources and proves every byte.')
    .exitOverride(asUsageError)
    // `model add` has an option `--version` of its own.
    .enablePositionalOptions()
    .option('-V, --version', 'print the version of this program')
    .on('option:version', () => tellVersion(context))
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  for (const add of asked === 'fetch' ? [addFetchCommand] : ALL) add(program, context);
  addHelp(program);
  return program;
}

function tellVersion({ stdout }: CommandContext): never {
  stdout.write(`${packageVersion(import.meta.url)}\n`);
  throw new CliError(EXIT.done, '');
}

/** Commander's own refusals (unknown option, missing argument) are usage errors; help is not an error. */
function asUsageError(error: CommanderError): never {
  throw new CliError(error.exitCode === 0 ? EXIT.done : EXIT.usage, '', { cause: error });
}

function addStackCommands(program: Command, context: CommandContext): void {
  program
    .command('up')
    .description('run the whole stack: API, worker, and PostgreSQL and Redis where no URL is given')
    .option('--workers <n>', 'number of workers on this machine', '1')
    .action(async (options) => (await import('./commands/stack/up.ts')).up(options, context));
  program
    .command('demo')
    .description('run the whole stack with a local origin, three files and one model')
    .addArgument(
      new Argument('[what]', 'fleet: rollouts to twelve workers; swarm: eight workers feed each other').choices([
        'fleet',
        'swarm',
      ]),
    )
    .option('--once', 'stop everything after the table and exit; `demo fleet` and `demo swarm` always do')
    .option('--json', 'end with one JSON object on stdout')
    .action(async (what, options) => {
      if (what === 'fleet') return (await import('./demo/fleet/demo-fleet.ts')).demoFleet(options, context);
      if (what === 'swarm') return (await import('./demo/swarm/demo-swarm.ts')).demoSwarm(options, context);
      return (await import('./demo/demo.ts')).demo(options, context);
    });
}

function addSwarmCommand(program: Command, context: CommandContext): void {
  program
    .command('swarm [cid]')
    .description(
      'show which hosts have which pieces of one file, what the origin gave, and what limits it; without a CID: the files that hosts share now',
    )
    .option('--watch', 'show it on stderr until every host has the file')
    .option('--json', 'one JSON object on stdout')
    .action(async (cid, options) => {
      if (cid === undefined) return (await import('./commands/swarm/swarm-list.ts')).swarmList(options, context);
      return (await import('./commands/swarm/swarm.ts')).swarm(cid, options, context);
    });
}

function addFetchCommand(program: Command, context: CommandContext): void {
  program
    .command('fetch [what]')
    .description(
      'fetch without any server: a file or folder by CID or CID/path, a URL, hf:owner/repo/path@revision, a whole repository hf:owner/repo@revision, or --input-file',
    )
    .option('-o, --output <path>', 'path of the file, or folder of several files; default: its name, in this folder')
    .option(
      '-i, --input-file <list>',
      'the files of a list, in the format of aria2 or of sha256sum; - is standard input',
    )
    .option('--base-url <url>', 'address below which the paths of a sha256sum list are')
    .option('--include <glob>', 'of several files only matching ones; repeatable', collect)
    .option('--exclude <glob>', 'of several files leave out matching ones; repeatable', collect)
    .option('--parallel <n>', 'files in flight at once, 1 to 64; default: 8')
    .option('--sha256 <hex>', 'expected digest of the file')
    .option('--md5 <hex>', 'expected digest of the file')
    .option('--sha1 <hex>', 'expected digest of the file')
    .option('--sha512 <hex>', 'expected digest of the file')
    .option('--git <hex>', 'git name of the blob, which hubs have for small files')
    .option('--size <bytes>', 'exact size')
    .option('--mirror <url>', 'another source of the same bytes, also file:///path; repeatable', collect)
    .option('--gateway <base>', 'an IPFS gateway; repeatable; default: IPFS_GATEWAYS', collect)
    .option('--hf-endpoint <url>', 'Hugging Face endpoint; default: HF_ENDPOINT, else the public hub')
    .option('--connections <n>', 'most connections per source; default: 4')
    .option('--limit-rate <rate>', 'most bytes per second, such as 50M; default: no limit')
    .option('--stall-timeout <duration>', 'no byte for this long is a failure', '30s')
    .option('--strategy <strategy>', 'ordered or parallel', 'ordered')
    .option('--allow-private', 'follow redirects into private addresses')
    .option('--allow-downgrade', 'follow redirects from https to http; needs a digest or a CID')
    .option('--use-system-ca', 'trust the certificate authorities of the system as well (Node 22.15 and later)')
    .option('--strict', 'refuse bytes that nothing proves')
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (what, options) => (await import('./commands/models/fetch.ts')).fetchCommand(what, options, context));
}

function addBundleCommands(program: Command, context: CommandContext): void {
  const bundle = program.command('bundle').description('models as one file for hosts without a network');
  bundle
    .command('create <model...>')
    .description('write published models of this host into a bundle')
    .requiredOption('-o, --output <path>', 'the bundle to write: .tar, or .tar.gz or .tar.zst for a compressed one')
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (models, options) =>
      (await import('./commands/bundles/bundle-create.ts')).bundleCreate(models, options, context),
    );
  bundle
    .command('verify <path>')
    .description('check every member of a bundle')
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (path, options) =>
      (await import('./commands/bundles/bundle-verify.ts')).bundleVerify(path, options, context),
    );
  bundle
    .command('install <path...>')
    .description("copy the models of bundles into this host's store, without a server")
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (paths, options) =>
      (await import('./commands/bundles/bundle-install.ts')).bundleInstall(paths, options, context),
    );
}

function addWorkerCommands(program: Command, context: CommandContext): void {
  const worker = program.command('worker').description('the worker of this host and its store');
  worker
    .command('run')
    .description('run a worker in the foreground')
    .action(async () => (await import('./commands/hosts/worker.ts')).workerRun(context));
  worker
    .command('verify [model]')
    .description('hash the published files; corrupt files are quarantined and fetched again')
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (model, options) =>
      (await import('./commands/hosts/worker.ts')).workerVerify(model, options, context),
    );
  worker
    .command('gc')
    .description('clean the store by its rules')
    .option('--dry-run', 'only list what would be deleted')
    .option('--json', 'one JSON object on stdout')
    .action(async (options) => (await import('./commands/hosts/worker.ts')).workerGc(options, context));
}
