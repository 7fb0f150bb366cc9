import { Argument, Option, type Command } from 'commander';
import { ROLES } from '#core/scopes';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { SHELLS, completionScript, type Shell } from './completion-scripts.ts';

const JSON_OPTION = ['--json', 'one JSON object on stdout'] as const;

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

/** `token`, `user`, `login`, `logout`, `whoami`, `audit`, `doctor` and `completion`. */
export function addAccessCommands(program: Command, context: CommandContext): void {
  addToken(program, context);
  addUser(program, context);
  addLogin(program, context);
  program
    .command('audit')
    .description('every write of the API: by which user or token, what, and how it ended; newest first')
    .option('--actor <name>', 'only of the user or the token with this name')
    .option('--action <name>', 'only this action, such as createRollout')
    .option('--target <start>', 'only of what begins so, such as hosts/gpu-017')
    .option('--since <time>', 'only from this time on, ISO 8601')
    .option('--limit <n>', 'at most so many, 1 to 500', '50')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('../commands/access/audit.ts')).audit(options, context));
  program
    .command('doctor')
    .description('check what commands need of the API: address, TLS, clock, version, readiness, token')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('../commands/stack/doctor.ts')).doctor(options, context));
  program
    .command('completion')
    .description('print a script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action((shell: Shell) => void context.stdout.write(completionScript(program, shell)));
}

function addToken(program: Command, context: CommandContext): void {
  const token = program.command('token').description('tokens of the API: create, list, revoke');
  token
    .command('create [name]')
    .description('make a token; stdout shows it this once')
    .option('--enrol', 'a token with which one host enrols, once')
    .option('--host <name>', 'with --enrol: only this host may use it, also when it is enrolled already')
    .option('--pool', 'with --enrol: the host may also run jobs of the pool and checks for newer versions')
    .option('--scope <scope>', 'what it may do: read, write, or such as rollouts:write; repeatable', collect)
    .option('--admin', 'it may do everything, also make tokens')
    .addOption(new Option('--kind <kind>', 'of a person or of a pipeline').choices(['pat', 'ci']).default('pat'))
    .option('--expires <duration>', 'how long it is valid, such as 90d; default: until it is revoked, with --enrol 1h')
    .option('--model <pattern>', 'it may deploy only these models, such as whisper-*; repeatable', collect)
    .option('--hosts <selector>', 'it may deploy only to these hosts, such as gpu=true')
    .option('--database', 'with --admin: write it into the database of the API, when the last admin token is lost')
    .option(...JSON_OPTION)
    .action(async (name: string | undefined, options) => {
      if (options.enrol)
        return (await import('../commands/hosts/enrolment-tokens.ts')).enrolTokenCreate(name, options, context);
      if (name !== undefined) return (await import('../commands/access/token.ts')).tokenCreate(name, options, context);
      throw new CliError(EXIT.usage, 'name the token: haulier token create <name>');
    });
  token
    .command('list')
    .description('tokens that can be used, and what they may do')
    .option('--all', 'also those that expired or were revoked')
    .option('--enrol', 'instead those with which hosts enrol or enrolled')
    .option(...JSON_OPTION)
    .action(async (options) => {
      if (options.enrol)
        return (await import('../commands/hosts/enrolment-tokens.ts')).enrolTokenList(options, context);
      return (await import('../commands/access/token.ts')).tokenList(options, context);
    });
  token
    .command('revoke <id...>')
    .description('make tokens unusable, within seconds')
    .option(...JSON_OPTION)
    .action(async (ids, options) => (await import('../commands/access/token.ts')).tokenRevoke(ids, options, context));
}

function addUser(program: Command, context: CommandContext): void {
  const user = program.command('user').description('users of the dashboard: create, list, role, password, disable');
  const load = () => import('../commands/access/user.ts');
  user
    .command('create <name>')
    .description('make a user; the password is read from the terminal or from stdin')
    .addOption(new Option('--role <role>', 'what the user may do').choices(ROLES).default('viewer'))
    .option(...JSON_OPTION)
    .action(async (name, options) => (await load()).userCreate(name, options, context));
  user
    .command('list')
    .description('users, their roles, and when they signed in last')
    .option(...JSON_OPTION)
    .action(async (options) => (await load()).userList(options, context));
  user
    .command('role <name>')
    .addArgument(new Argument('<role>', 'viewer reads, operator also acts, admin also gives access').choices(ROLES))
    .description('change what a user may do; all sessions of the user end')
    .option(...JSON_OPTION)
    .action(async (name, role, options) => (await load()).userRole(name, role, options, context));
  user
    .command('password <name>')
    .description('set another password, read from the terminal or from stdin; all sessions of the user end')
    .option(...JSON_OPTION)
    .action(async (name, options) => (await load()).userPassword(name, options, context));
  user
    .command('disable <name>')
    .description('end all sessions of a user, and refuse to sign in')
    .option(...JSON_OPTION)
    .action(async (name, options) => (await load()).userDisable(name, true, options, context));
  user
    .command('enable <name>')
    .description('let a disabled user sign in again')
    .option(...JSON_OPTION)
    .action(async (name, options) => (await load()).userDisable(name, false, options, context));
  user
    .command('delete <name>')
    .description('delete a user; the audit keeps the name')
    .option(...JSON_OPTION)
    .action(async (name, options) => (await load()).userDelete(name, options, context));
}

function addLogin(program: Command, context: CommandContext): void {
  program
    .command('login [url]')
    .description('keep the address of an API and a token for it; the token is read from the terminal or from stdin')
    .action(async (url) => (await import('../commands/access/login.ts')).login(url, context));
  program
    .command('logout [url]')
    .description('forget the token of an API')
    .action(async (url) => (await import('../commands/access/login.ts')).logout(url, context));
  program
    .command('whoami')
    .description('show which API and which token commands use')
    .option(...JSON_OPTION)
    .action(async (options) => (await import('../commands/access/login.ts')).whoami(options, context));
}
