import { labelValueProblem, type Selectable } from './selector.ts';

/** Labels with this prefix are facts that the host's worker found out; they cannot be set. */
export const FACT_PREFIX = 'haulier.io/';

/** The label that names the site of a host. */
export const SITE_LABEL = 'site';

/** What is known of a host that selectors look at. */
export interface LabelledHost {
  readonly name: string;
  /** Set through the API. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of the worker's own configuration. */
  readonly workerLabels: Readonly<Record<string, string>>;
  readonly facts: { readonly arch?: string; readonly os?: string; readonly gpus?: number };
  readonly workerVersion: string | null;
}

/** Labels that were set win over those of the worker; facts have a prefix of their own. */
export const labelsOf = (host: LabelledHost): Record<string, string> => ({
  ...factLabels(host),
  ...host.workerLabels,
  ...host.labels,
});

export const selectableOf = (host: LabelledHost): Selectable => ({ name: host.name, labels: labelsOf(host) });

/** A fact that is no valid label value, such as a version with a plus sign, is left out. */
function factLabels({ facts, workerVersion }: LabelledHost): Record<string, string> {
  const all = {
    arch: facts.arch,
    os: facts.os,
    gpus: facts.gpus === undefined ? undefined : String(facts.gpus),
    'worker-version': workerVersion ?? undefined,
  };
  const known = Object.entries(all).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && labelValueProblem(entry[1]) === undefined,
  );
  return Object.fromEntries(known.map(([name, value]) => [FACT_PREFIX + name, value]));
}
