import type { HostActionInput, HostActionResult } from '#contracts/http/hosts';
import type { LabelsPatch } from '#contracts/labels';
import { plural } from '#core/text/plural';
import { clientFrom, withApiDocument } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT, type ExitCode } from '../../exit-code.ts';
import { formatTable } from '../../terminal/table.ts';
import { hostDrain, hostForget, hostLabel } from './host.ts';

export interface HostBulkOptions {
  readonly selector?: string;
  readonly allMatching?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

type Bulk = Pick<HostActionInput, 'action' | 'labels'> & { readonly names: readonly string[] };

const SCHEMA = 'haulier.host-action/v1';

/** A selector that matches more hosts acts only with `--all-matching`. */
const MOST_WITHOUT_ASKING = 100;

const DONE_WORDS: Record<HostActionInput['action'], string> = {
  drain: 'drained',
  undrain: 'undrained',
  label: 'labelled',
  verify: 'told to verify',
  forget: 'forgotten',
};

/** Drains, undrains or forgets one host, several, or all that a selector matches. */
export async function hostAct(
  action: 'drain' | 'undrain' | 'forget',
  names: readonly string[],
  options: HostBulkOptions,
  context: CommandContext,
): Promise<void> {
  const one = onlyOne(names, options);
  if (one === undefined) return actOnMany({ action, names }, options, context);
  return action === 'forget' ? hostForget(one, options, context) : hostDrain(one, action === 'drain', options, context);
}

/** @param words changes of labels, behind the name of the host where no selector is given: `key=value` sets one, `key-` removes it */
export async function hostLabels(
  words: readonly string[],
  options: HostBulkOptions,
  context: CommandContext,
): Promise<void> {
  const [names, changes] = options.selector === undefined ? [words.slice(0, 1), words.slice(1)] : [[], words];
  if (changes.length === 0) throw new CliError(EXIT.usage, 'name a change: key=value sets a label, key- removes it');
  const labels: LabelsPatch = Object.fromEntries(changes.map(changeOf));
  const one = onlyOne(names, options);
  if (one === undefined) return actOnMany({ action: 'label', names, labels }, options, context);
  return hostLabel(one, labels, options, context);
}

function changeOf(change: string): [key: string, value: LabelsPatch[string]] {
  const equals = change.indexOf('=');
  if (equals > 0) return [change.slice(0, equals), change.slice(equals + 1)];
  if (equals < 0 && change.length > 1 && change.endsWith('-')) return [change.slice(0, -1), null];
  throw new CliError(EXIT.usage, `"${change}" is no change of a label: write key=value to set it, key- to remove it`);
}

/** @returns the host that is shown as it stands afterwards; undefined for an action on many hosts and for a dry run */
const onlyOne = (names: readonly string[], { selector, allMatching, dryRun }: HostBulkOptions): string | undefined =>
  names.length === 1 && selector === undefined && !allMatching && !dryRun ? names[0] : undefined;

/** The counts are exact, and hosts that cannot be acted on are named. */
async function actOnMany(bulk: Bulk, options: HostBulkOptions, context: CommandContext): Promise<void> {
  const body = bodyOf(bulk, options);
  const client = clientFrom(context.env);
  const result = await withApiDocument(options, context, async () => {
    if (options.dryRun) return client.planHostAction(body);
    if (bulk.names.length === 0 && !options.allMatching) refuseTooMany(await client.planHostAction(body), options);
    return client.actOnHosts(body);
  });
  const exitCode = exitCodeOf(result, bulk.names.length > 0);
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ schema: SCHEMA, ...result, exitCode })}\n`
      : `${textOf(result, context.stdout.columns).join('\n')}\n`,
  );
  if (exitCode === EXIT.nothingToDo) throw new CliError(exitCode, 'no host matches; haulier host list shows them');
  if (exitCode !== EXIT.done)
    throw new CliError(exitCode, `${plural(result.counts.skipped, 'host')} could not be ${DONE_WORDS[bulk.action]}`);
}

function bodyOf({ action, names, labels }: Bulk, { selector, allMatching }: HostBulkOptions): HostActionInput {
  if (names.length > 0 && selector !== undefined)
    throw new CliError(EXIT.usage, 'give names of hosts, or --selector, not both');
  if (selector === undefined && allMatching)
    throw new CliError(EXIT.usage, '--all-matching goes with --selector; --selector "" matches every host');
  if (names.length === 0 && selector === undefined)
    throw new CliError(EXIT.usage, `say which hosts to ${action}: their names, or --selector`);
  const hosts = names.length > 0 ? { names: [...names] } : { selector };
  return { action, hosts, ...(labels === undefined ? {} : { labels }) };
}

function refuseTooMany({ action, counts }: HostActionResult, { selector }: HostBulkOptions): void {
  if (counts.matched <= MOST_WITHOUT_ASKING) return;
  const sentence = `--selector "${selector}" matches ${counts.matched} hosts, and ${counts.changed} would be ${DONE_WORDS[action]}`;
  throw new CliError(EXIT.usage, `${sentence}; add --all-matching to act on more than ${MOST_WITHOUT_ASKING}`);
}

/** Of hosts that were named, each counts; of a selector, what it skips is no failure. */
function exitCodeOf({ counts }: HostActionResult, isNamed: boolean): ExitCode {
  if (counts.matched === 0) return EXIT.nothingToDo;
  return isNamed && counts.skipped > 0 ? EXIT.failed : EXIT.done;
}

function textOf({ action, dryRun, counts, skipped }: HostActionResult, columns: number | undefined): string[] {
  const part = (count: number, words: string): string[] => (count === 0 ? [] : [`${count} ${words}`]);
  const parts = [
    `${counts.changed} ${dryRun ? 'would be ' : ''}${DONE_WORDS[action]}`,
    ...part(counts.unchanged, 'unchanged, stood so already'),
    ...part(counts.skipped, 'skipped'),
  ];
  const rows = skipped.map(({ host, reason }) => [host, reason]);
  return [
    `${parts.join(', ')} of ${plural(counts.matched, 'host')}`,
    ...(rows.length === 0 ? [] : [formatTable(['skipped', 'why'], rows, [], columns, [0])]),
    ...part(counts.skipped - skipped.length, 'more were skipped'),
  ];
}
