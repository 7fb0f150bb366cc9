import { Option, type Command } from 'commander';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import type { CommandContext } from '../context.ts';
import { PROGRESS_MODES } from '../terminal/progress.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

/** `download` with its commands, and `status`. */
export function addDownloadCommands(program: Command, context: CommandContext): void {
  const download = withWaitOptions(
    program
      .command('download [what]')
      .description('ask the API for a model (name or name@version), a CID, hf:repo/path@revision or a URL')
      .option('--host <name>', 'the host that gets the file; default: any worker of the pool')
      .option('--allow-unknown', 'take a host that no worker has reported from yet; the files wait for it')
      .option('--sha256 <hex>', 'digest of a single file')
      .option('--size <bytes>', 'exact size of a single file')
      .option('--allow-unverified', 'fetch a single file that nothing proves; it is labelled unverified')
      .option('--deadline <duration>', 'how long sources that cannot be reached are waited for; default: 24h')
      .option('--wait', 'wait for the end; the exit code is that of the download'),
  ).action(async (what: string | undefined, options) => {
    if (what === undefined) return download.outputHelp({ error: true });
    return (await import('../commands/downloads/download.ts')).downloadCommand(what, options, context);
  });
  addList(download, context);
  addErrors(download, context);
  withWaitOptions(
    download.command('wait <id...>').description('wait for the end of downloads; the exit code is theirs'),
  ).action(async (ids, options) =>
    (await import('../commands/downloads/download-list.ts')).downloadWait(ids, options, context),
  );
  addBulk(download, context);
  program
    .command('status <id>')
    .description('show one download')
    .option(...JSON_OPTION)
    .action(async (id, options) => (await import('../commands/stack/status.ts')).status(id, options, context));
}

const withWaitOptions = (command: Command): Command =>
  command
    .option(
      '--timeout <duration>',
      'stop waiting after this long, such as 30m; the download continues; default: no limit',
    )
    .option('--max-disconnect <duration>', 'how long the API may be away while waiting', '2m')
    .option(...JSON_OPTION)
    .addOption(
      new Option('--progress <mode>', 'how progress is shown on stderr').choices(PROGRESS_MODES).default('auto'),
    );

const STATUS_OPTION = [
  '--status <list>',
  `only with these, separated by commas: ${DOWNLOAD_STATUSES.join(', ')}`,
] as const;

function addList(download: Command, context: CommandContext): void {
  download
    .command('list')
    .description('downloads, newest first')
    .option('--model <model>', 'only of this model, name or name@version')
    .option('--host <name>', 'only on this host')
    .option(...STATUS_OPTION)
    .option('--limit <n>', 'at most so many, 1 to 10000', '50')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('../commands/downloads/download-list.ts')).downloadList(options, context));
}

function addErrors(download: Command, context: CommandContext): void {
  download
    .command('errors')
    .description('why downloads failed, by reason, source and message')
    .option('--model <model>', 'only of this model, name or name@version')
    .option('--host <name>', 'only on this host')
    .option('--since <time>', 'only those that ended since then, such as 2026-11-29T00:00:00Z')
    .option('--waiting', 'those that wait for something, such as space or a source, too')
    .option(...JSON_OPTION)
    .action(async (options) =>
      (await import('../commands/downloads/download-errors.ts')).downloadErrors(options, context),
    );
}

const SUMMARIES = {
  pause: 'hold downloads until they are resumed; what is on disk stays',
  resume: 'let paused downloads go on',
  cancel: 'end downloads',
  retry: 'start downloads that failed again, with a new budget of attempts',
} as const;

function addBulk(download: Command, context: CommandContext): void {
  for (const action of ['pause', 'resume', 'cancel', 'retry'] as const)
    download
      .command(`${action} [id...]`)
      .description(SUMMARIES[action])
      .option('--model <model>', 'all of this model, name or name@version')
      .option('--host <name>', 'all on this host')
      .option(...STATUS_OPTION)
      .option('--max-disconnect <duration>', 'how long the API may be away while waiting', '2m')
      .option(...JSON_OPTION)
      .action(async (ids, options) =>
        (await import('../commands/downloads/download-bulk.ts')).downloadBulk(action, ids, options, context),
      );
}
