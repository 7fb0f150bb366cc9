import type { CommanderError } from 'commander';
import { Argument, Command, Option } from 'commander';
import { packageVersion } from '#os/package-folder';
import type { CommandContext } from './context.ts';
import { addAccessCommands } from './access/access-program.ts';
import { CliError, EXIT } from './exit-code.ts';
import { addEnrolmentCommands } from './enrolment/enrolment-program.ts';
import { addDownloadCommands } from './downloads/download-program.ts';
import { addHelp } from './help.ts';
import { addRolloutCommands } from './rollout/rollout-program.ts';
import { addServeCommand } from './serve-program.ts';
import { addSiteCommands } from './sites/site-program.ts';
import { addWebhookCommands } from './webhook-program.ts';
import { PROGRESS_MODES } from './terminal/progress.ts';

const PROGRESS = new Option('--progress <mode>', 'how progress is shown on stderr')
  .choices(PROGRESS_MODES)
  .default('auto');

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** The command line. Every command loads only what it needs, when it runs. */
export function createProgram(context: CommandContext): Command {
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
  addStackCommands(program, context);
  addDownloadCommands(program, context);
  addFetchCommand(program, context);
  addModelCommands(program, context);
  addBundleCommands(program, context);
  addRolloutCommands(program, context);
  addSiteCommands(program, context);
  addHostCommands(program, context);
  addWebhookCommands(program, context);
  addWorkerCommands(program, context);
  addServeCommand(program, context);
  addAccessCommands(program, context);
  addEnrolmentCommands(program, context);
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
    .addArgument(new Argument('[what]', 'fleet: rollouts to twelve workers').choices(['fleet']))
    .option('--once', 'stop everything after the table and exit; `demo fleet` always does')
    .option('--json', 'end with one JSON object on stdout')
    .action(async (what, options) =>
      what === 'fleet'
        ? (await import('./demo/fleet/demo-fleet.ts')).demoFleet(options, context)
        : (await import('./demo/demo.ts')).demo(options, context),
    );
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

function addModelCommands(program: Command, context: CommandContext): void {
  const model = program.command('model').description('manifests: add, list, show, update, pin');
  model
    .command('add [name]')
    .description('make a manifest from a hub, IPFS or a folder, and publish it to the API')
    .option('--hf <repo@revision>', 'a Hugging Face repository')
    .addOption(
      new Option('--repo-type <type>', 'type of the repository; default: model').choices(['model', 'dataset', 'space']),
    )
    .option('--ipfs <cid>', 'an IPFS folder or file, alone or beside --hf; or a dag-json manifest')
    .option('--dir <folder>', 'a local folder')
    .option('--from <recipe>', 'a recipe such as examples/models/whisper-base.json')
    .option('--include <glob>', 'only files that match; repeatable', collect)
    .option('--exclude <glob>', 'leave out files that match; repeatable', collect)
    .option('--no-store', 'do not copy the files of --dir into the store of this host')
    .option('--version <version>', 'name of this version; default: the commit, the CID or a digest of the content')
    .option('--type <type>', 'type of the model, such as stt or llm; default: model')
    .option('--gateway <base>', 'an IPFS gateway; repeatable; default: IPFS_GATEWAYS', collect)
    .option('--hf-endpoint <url>', 'Hugging Face endpoint; default: HF_ENDPOINT, else the public hub')
    .option('--allow-private', 'allow private addresses')
    .option('--use-system-ca', 'trust the certificate authorities of the system as well (Node 22.15 and later)')
    .option('--print', 'print the manifest instead of publishing it')
    .option('-o, --output <path>', 'also write the dag-json block of the manifest to a file')
    .option('--json', 'one JSON object on stdout')
    .addOption(PROGRESS)
    .action(async (name, options) => (await import('./commands/models/model-add.ts')).modelAdd(name, options, context));
  addPublishedModelCommands(model, context);
}

function addPublishedModelCommands(model: Command, context: CommandContext): void {
  model
    .command('list')
    .description('the models that the API knows, and their current versions')
    .option('--json', 'one JSON object on stdout')
    .action(async (options) => (await import('./commands/models/model.ts')).modelList(options, context));
  model
    .command('show <model>')
    .description('the manifest of name or name@version')
    .action(async (what) => (await import('./commands/models/model.ts')).modelShow(what, context));
  model
    .command('update <model>')
    .description('what shall become of a newer version that was seen: publish it here, or keep the current one')
    .option('--publish', 'publish it without a question; nothing is fetched to a host')
    .option('--keep', 'pin the current version without a question')
    .addOption(PROGRESS)
    .action(async (name, options) =>
      (await import('./commands/models/model-update.ts')).modelUpdate(name, options, context),
    );
  model
    .command('pin <model>')
    .description('keep name@version: no cleanup, no report as outdated')
    .action(async (what) => (await import('./commands/models/model.ts')).modelPin(what, true, context));
  model
    .command('unpin <model>')
    .description('let the model follow its newest version again')
    .action(async (what) => (await import('./commands/models/model.ts')).modelPin(what, false, context));
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

function addHostCommands(program: Command, context: CommandContext): void {
  const host = program.command('host').description('hosts: list, show, label, drain, forget');
  const json = ['--json', 'one JSON object on stdout'] as const;
  host
    .command('list')
    .description('list hosts, their labels and their state')
    .option('--selector <selector>', 'only hosts that match, such as gpu=true,site!=eu-1')
    .option(...json)
    .action(async (options) => (await import('./commands/hosts/host.ts')).hostList(options, context));
  host
    .command('show <name>')
    .description('show one host: labels, facts, store')
    .option(...json)
    .action(async (name, options) => (await import('./commands/hosts/host.ts')).hostShow(name, options, context));
  host
    .command('label <name> <changes...>')
    .description('key=value sets a label, key- removes it')
    .option(...json)
    .action(async (name, changes, options) =>
      (await import('./commands/hosts/host.ts')).hostLabel(name, changes, options, context),
    );
  host
    .command('drain <name>')
    .description('rollouts do not begin with it; what runs there goes on')
    .option(...json)
    .action(async (name, options) =>
      (await import('./commands/hosts/host.ts')).hostDrain(name, true, options, context),
    );
  host
    .command('undrain <name>')
    .description('let rollouts begin with it again')
    .option(...json)
    .action(async (name, options) =>
      (await import('./commands/hosts/host.ts')).hostDrain(name, false, options, context),
    );
  host
    .command('forget <name>')
    .description('remove a host that is gone; what is still wanted there is cancelled')
    .option(...json)
    .action(async (name, options) => (await import('./commands/hosts/host.ts')).hostForget(name, options, context));
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
