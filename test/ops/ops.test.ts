import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { parse } from 'yaml';
import { exposedSeries } from './exposed-series.ts';

const OPS = fileURLToPath(new URL('../../ops', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RULES = join(OPS, 'prometheus/haulier.rules.yaml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

interface Board {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly datasource: { readonly uid: string };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

/** Metrics of Prometheus itself and of the exporters that the rules name. */
const FOREIGN = [
  'up',
  'node_filesystem_avail_bytes',
  'node_filesystem_size_bytes',
  'redis_instance_info',
  'redis_memory_used_bytes',
  'redis_memory_max_bytes',
  'pg_stat_activity_count',
  'pg_settings_max_connections',
  'probe_ssl_earliest_cert_expiry',
  'pgbackrest_backup_since_last_completion_seconds',
];

const known = await exposedSeries();

const groups = (parse(readFileSync(RULES, 'utf8')) as { groups: { name: string; rules: Rule[] }[] }).groups;
const rules = groups.flatMap((group) => group.rules);
const boards = readdirSync(join(OPS, 'grafana')).map((name) => ({
  name,
  board: JSON.parse(readFileSync(join(OPS, 'grafana', name), 'utf8')) as Board,
}));

interface Selected {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** @returns the metrics of an expression with the labels that it matches; throws where it does not parse */
function selectedBy(expression: string): Selected[] {
  const found: { metric: string; labels: string[] }[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, from, to, node }) => {
      const text = expression.slice(from, to);
      if (name === '⚠') throw new Error(`no PromQL at ${from}: ${expression}`);
      if (name === 'VectorSelector') found.push({ metric: '', labels: [] });
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') found.at(-1)!.metric = text;
      if (name === 'LabelName' && node.parent?.name === 'UnquotedLabelMatcher') found.at(-1)!.labels.push(text);
    },
  });
  return found;
}

describe('the alerts', () => {
  it('ask only for metrics and labels that there are', () => {
    for (const { alert, expr } of rules)
      for (const { metric, labels } of selectedBy(expr)) {
        if (FOREIGN.includes(metric)) continue;
        expect([alert, metric, known.has(metric)]).toEqual([alert, metric, true]);
        expect([alert, labels.filter((label) => !known.get(metric)!.includes(label))]).toEqual([alert, []]);
      }
  });

  it('name every metric of ours in the first group, and other exporters only in the second', () => {
    const metricsOf = (name: string) =>
      groups
        .find((group) => group.name === name)!
        .rules.flatMap(({ expr }) => selectedBy(expr).map(({ metric }) => metric));
    expect(metricsOf('haulier').filter((metric) => !/^(haulier_|up$)/.test(metric))).toEqual([]);
    expect(metricsOf('haulier-servers').filter((metric) => !FOREIGN.includes(metric))).toEqual([]);
  });

  it('lead to a section of the guide each, and every section belongs to one', () => {
    const guide = readFileSync(join(ROOT, 'docs/guide/operations.md'), 'utf8');
    const sections = [...guide.matchAll(/^### (\w+)$/gm)].map(([, title]) => title!);
    expect(sections).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations, labels } of rules) {
      expect(annotations.runbook_url).toBe(`docs/guide/operations.md#${alert.toLowerCase()}`);
      expect(annotations.summary).toMatch(/\.$/);
      expect(['page', 'ticket']).toContain(labels.severity);
    }
  });

  it('fire for what they are about, and stay silent for a healthy fleet', () => {
    const promtool = found('promtool');
    if (promtool === undefined) {
      process.stderr.write('skipped: promtool is not installed; the package prometheus of the distribution has it\n');
      return;
    }
    const words = ['test', 'rules', 'haulier.rules.test.yaml'];
    const said = execFileSync(promtool, words, { cwd: join(OPS, 'prometheus'), encoding: 'utf8' });
    expect(said).toContain('SUCCESS');
  });

  it('each have a case of their own and one among the healthy ones', () => {
    const path = join(OPS, 'prometheus/haulier.rules.test.yaml');
    const { tests } = parse(readFileSync(path, 'utf8')) as {
      tests: { name: string; alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const names = rules.map(({ alert }) => alert).sort();
    const firing = tests.filter(({ alert_rule_test: [first] }) => first!.exp_alerts.length > 0);
    expect(firing.map(({ name }) => name).sort()).toEqual(names);
    expect(
      tests
        .at(-1)!
        .alert_rule_test.map(({ alertname }) => alertname)
        .sort(),
    ).toEqual(names);
  });
});

describe.each(boards)('the dashboard $name', ({ name, board }) => {
  const targets = board.panels.flatMap((panel) => panel.targets.map((target) => ({ ...target, title: panel.title })));

  it('asks only for metrics and labels that there are', () => {
    for (const { title, expr, legendFormat } of targets) {
      const selected = selectedBy(expr);
      expect([title, selected.length > 0]).toEqual([title, true]);
      for (const { metric, labels } of selected) {
        expect([title, metric, known.has(metric)]).toEqual([title, metric, true]);
        expect([title, labels.filter((label) => !known.get(metric)!.includes(label))]).toEqual([title, []]);
      }
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      const has = [...selected.flatMap(({ metric }) => known.get(metric)!), 'instance'];
      expect([title, shown.filter((label) => !has.includes(label))]).toEqual([title, []]);
    }
  });

  it('asks the data source that is chosen at its top, and has an id of its own for each panel', () => {
    expect(board.uid).toBe(`haulier-${name.replace('.json', '')}`);
    expect(board.templating.list).toEqual([expect.objectContaining({ name: 'datasource', type: 'datasource' })]);
    expect(board.panels.every(({ datasource }) => datasource.uid === '${datasource}')).toBe(true);
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
  });

  it('has no panel that covers another', () => {
    const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});

/** A program on PATH. */
function found(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        execFileSync(path, ['--version'], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    });
}
