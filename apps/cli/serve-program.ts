import type { Command } from 'commander';
import type { CommandContext } from './context.ts';

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** Adds `haulier serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('serve the store of this host to clients of Hugging Face and IPFS, without any other server')
    .option('--bind <address>', 'address to listen on; default: HAULIER_SERVE_BIND, else 127.0.0.1')
    .option('--port <port>', 'port to listen on, 0 for a free one; default: HAULIER_SERVE_PORT, else 7430')
    .option(
      '--allow <pattern>',
      'fetch repositories of the hub that match, such as onnx-community/*; repeatable',
      collect,
    )
    .option('--repo <owner/name=model>', 'a further name of a model as a repository; repeatable', collect)
    .action(async (options) => (await import('./commands/hosts/serve.ts')).serve(options, context));
}
