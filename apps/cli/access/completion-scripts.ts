import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A command with what may follow it. */
interface Place {
  /** Its words, such as `model add`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Option[];
}

/** @returns a script that lets the shell complete commands, options and their choices */
export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, []);
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](program.name(), places);
}

function placesOf(command: Command, path: readonly string[]): Place[] {
  const { commands } = command;
  const own = {
    path: path.join(' '),
    commands: commands.map((one) => ({ name: one.name(), description: one.description() })),
    options: command.options.filter(({ hidden }) => !hidden),
  };
  return [own, ...commands.flatMap((one) => placesOf(one, [...path, one.name()]))];
}

const flagsOf = ({ long, short }: Option): string[] => [long, short].filter((flag): flag is string => Boolean(flag));

const takesValue = ({ required, optional }: Option): boolean => required || optional;

/** Of the options with choices: the flags, and the words that may follow. */
const choicesOf = ({ options }: Place): { flags: string[]; words: string }[] =>
  options
    .filter(({ argChoices }) => argChoices !== undefined)
    .map((option) => ({ flags: flagsOf(option), words: option.argChoices!.join(' ') }));

/** Values of other options are file names as a rule. */
const filesAfter = ({ options }: Place): string[] =>
  options.filter((option) => takesValue(option) && option.argChoices === undefined).flatMap(flagsOf);

function bashScript(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => `" ${path}"`);
  const cases = places.map((place) => {
    const choices = choicesOf(place).map(
      ({ flags, words }) => `        ${flags.join('|')}) COMPREPLY=($(compgen -W "${words}" -- "$cur")); return ;;`,
    );
    const files = filesAfter(place);
    const values = [...choices, ...(files.length === 0 ? [] : [`        ${files.join('|')}) return ;;`])];
    const words = [...place.commands.map((one) => one.name), ...place.options.flatMap(flagsOf)].join(' ');
    const previous = values.length === 0 ? [] : ['      case "$prev" in', ...values, '      esac'];
    const at = place.path === '' ? '""' : `" ${place.path}"`;
    return [`    ${at})`, ...previous, `      COMPREPLY=($(compgen -W "${words}" -- "$cur")) ;;`].join('\n');
  });
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at="" word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${paths.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => `" ${path}"`);
  const described = (word: string, text: string): string => quoted(`${word.replaceAll(':', '\\:')}:${text}`);
  const cases = places.map((place) => {
    const choices = choicesOf(place).map(
      ({ flags, words }) => `        ${flags.join('|')}) compadd -- ${words}; return ;;`,
    );
    const files = filesAfter(place);
    const values = [...choices, ...(files.length === 0 ? [] : [`        ${files.join('|')}) _files; return ;;`])];
    const previous = values.length === 0 ? [] : ['      case "$prev" in', ...values, '      esac'];
    const words = [
      ...place.commands.map((one) => described(one.name, one.description)),
      ...place.options.flatMap((option) => flagsOf(option).map((flag) => described(flag, option.description))),
    ];
    const at = place.path === '' ? '""' : `" ${place.path}"`;
    return [`    ${at})`, ...previous, `      found=(${words.join(' ')}) ;;`].join('\n');
  });
  return `#compdef ${name}
# zsh completion of ${name}: source <(${name} completion zsh), after compinit; or as a file _${name} in a folder of $fpath
_${name}() {
  local prev="\${words[CURRENT-1]}" at="" word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${paths.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _describe -t words ${name} found || _files
}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fishScript(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  const lines = places.flatMap((place) => {
    const at = `complete -c ${name} -n ${quoted(`__${name}_at ${JSON.stringify(place.path)}`)}`;
    return [
      ...place.commands.map((one) => `${at} -f -a ${one.name} -d ${quoted(one.description)}`),
      ...place.options.map((option) => {
        const long = option.long ? ` -l ${option.long.replace(/^--/, '')}` : '';
        const short = option.short ? ` -s ${option.short.replace(/^-/, '')}` : '';
        const choices = option.argChoices === undefined ? '' : ` -f -a ${quoted(option.argChoices.join(' '))}`;
        return `${at}${long}${short}${takesValue(option) ? ' -r' : ''}${choices} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# fish completion of ${name}: ${name} completion fish | source
function __${name}_at
    set -l at ""
    for word in (commandline -opc)[2..-1]
        set -l next (string trim "$at $word")
        if contains -- "$next" ${paths.join(' ')}
            set at "$next"
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** One word for the shell, whatever is in it. */
const quoted = (text: string): string => `'${text.replaceAll('\n', ' ').replaceAll("'", `'\\''`)}'`;
