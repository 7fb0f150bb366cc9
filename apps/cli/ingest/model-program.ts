import { Option, type Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { PROGRESS, collect } from '../options.ts';

export function addModelCommands(program: Command, context: CommandContext): void {
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
    .action(async (name, options) =>
      (await import('../commands/models/model-add.ts')).modelAdd(name, options, context),
    );
  addPublishedModelCommands(model, context);
}

function addPublishedModelCommands(model: Command, context: CommandContext): void {
  model
    .command('list')
    .description('the models that the API knows, and their current versions')
    .option('--json', 'one JSON object on stdout')
    .action(async (options) => (await import('../commands/models/model.ts')).modelList(options, context));
  model
    .command('show <model>')
    .description('the manifest of name or name@version')
    .action(async (what) => (await import('../commands/models/model.ts')).modelShow(what, context));
  model
    .command('update <model>')
    .description('what shall become of a newer version that was seen: publish it here, or keep the current one')
    .option('--publish', 'publish it without a question; nothing is fetched to a host')
    .option('--keep', 'pin the current version without a question')
    .addOption(PROGRESS)
    .action(async (name, options) =>
      (await import('../commands/models/model-update.ts')).modelUpdate(name, options, context),
    );
  model
    .command('pin <model>')
    .description('keep name@version: no cleanup, no report as outdated')
    .action(async (what) => (await import('../commands/models/model.ts')).modelPin(what, true, context));
  model
    .command('unpin <model>')
    .description('let the model follow its newest version again')
    .action(async (what) => (await import('../commands/models/model.ts')).modelPin(what, false, context));
}
