import { appendFile, writeFile } from 'node:fs/promises';
import type { ApiClient } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutErrors, RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import { SECOND_MS } from '#core/units';
import { durationMs, modelsText } from './rollout-text.ts';

/** Writes one test case for each host, as CI systems read them (JUnit XML). */
export async function writeJunit(path: string, client: ApiClient, rollout: Rollout): Promise<void> {
  const hosts = await allHosts(client, rollout.id);
  const cases = hosts.map((host) => `    ${caseOf(host)}\n`).join('');
  const failures = hosts.filter(isFailed).length;
  const skipped = hosts.filter(({ state }) => state === 'skipped').length;
  const totals = `tests="${hosts.length}" failures="${failures}" skipped="${skipped}" time="${durationMs(rollout) / SECOND_MS}"`;
  const suite = `  <testsuite name="${escaped(modelsText(rollout))}" id="${rollout.id}" ${totals}>\n${cases}  </testsuite>\n`;
  await writeFile(path, `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="haulier">\n${suite}</testsuites>\n`);
}

/** Appends a table to a summary file, such as that of a GitHub step. */
export async function appendSummary(path: string, rollout: Rollout, errors: RolloutErrors['errors']): Promise<void> {
  const { counts, threshold } = rollout;
  const rows = errors.map(({ reason, count, hosts }) => `| ${reason} | ${count} | ${hosts.join(', ')} |`);
  const table = rows.length === 0 ? [] : ['', '| reason | hosts | such as |', '|---|---|---|', ...rows];
  const lines = [
    `### ${modelsText(rollout)}: ${rollout.state.replaceAll('_', ' ')}`,
    '',
    `${counts.succeeded} of ${counts.targeted} hosts, ${threshold.required} are required (${threshold.percent} %); rollout \`${rollout.id}\``,
    ...table,
  ];
  await appendFile(path, `${lines.join('\n')}\n\n`);
}

/** What later steps of a pipeline read; `state` is undefined where the command ends without knowing it. */
export interface RolloutOutputs {
  readonly id: string;
  readonly state: string | undefined;
  readonly url: string;
}

/** Appends `NAME=value` lines, the form of `$GITHUB_OUTPUT` and of a dotenv report of GitLab. */
export async function appendOutputs(path: string, { id, state = 'unknown', url }: RolloutOutputs): Promise<void> {
  await appendFile(path, `ROLLOUT_ID=${id}\nROLLOUT_STATE=${state}\nROLLOUT_URL=${url}\n`);
}

/** One annotation of GitHub Actions for each reason for which hosts failed. */
export function annotationsOf(rollout: Rollout, errors: RolloutErrors['errors']): string[] {
  const kind = rollout.state.startsWith('succeeded') ? 'warning' : 'error';
  return errors.map(({ reason, count, hosts, message }) => {
    const title = commandProperty(`${modelsText(rollout)}: ${count} × ${reason}`);
    const more = count > hosts.length ? ', …' : '';
    const text = `${hosts.join(', ')}${more}${message === null ? '' : `: ${message}`}`;
    return `::${kind} title=${title}::${commandData(text)}`;
  });
}

/** Escapes what would end a workflow command, as the toolkit of GitHub Actions does. */
const commandData = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const commandProperty = (text: string): string => commandData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

async function allHosts(client: ApiClient, id: string): Promise<RolloutHost[]> {
  const all: RolloutHost[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await client.listRolloutHosts(id, { limit: 500, cursor });
    all.push(...page.hosts);
    if (page.nextCursor === null) return all;
    cursor = page.nextCursor;
  }
}

const isFailed = ({ state }: RolloutHost): boolean => state === 'failed' || state === 'cancelled';

function caseOf(host: RolloutHost): string {
  const name = `<testcase classname="host" name="${escaped(host.host)}"`;
  const message = escaped(host.message ?? '');
  if (isFailed(host))
    return `${name}><failure type="${escaped(host.reason ?? host.state)}" message="${message}"/></testcase>`;
  if (host.state === 'skipped') return `${name}><skipped message="${message}"/></testcase>`;
  return `${name}/>`;
}

/** Control characters have no place in XML 1.0, not even escaped. */
const escaped = (text: string): string =>
  text
    // eslint-disable-next-line no-control-regex -- they are what is removed
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
