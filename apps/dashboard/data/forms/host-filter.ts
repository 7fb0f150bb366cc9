import type { HostFilter } from '#client/overview-client';

/** @param query of the address of the page "Hosts" */
export function hostFilterOf(query: URLSearchParams): HostFilter {
  const selector = selectorOf(query.get('label')?.split(',').filter(Boolean) ?? []);
  return {
    selector: selector === '' ? undefined : selector,
    status: oneOf(query.get('status'), ['online', 'offline', 'draining']),
    version: query.get('version') ?? undefined,
    disk: oneOf(query.get('disk'), ['low']),
    q: query.get('q') ?? undefined,
  };
}

/** What else stands in an address that was typed is left out. */
const oneOf = <Value extends string>(text: string | null, values: readonly Value[]): Value | undefined =>
  values.find((value) => value === text);

/** Values of one label mean one of them; labels mean all of them. @param labels as `key=value` */
export function selectorOf(labels: readonly string[]): string {
  const values = new Map<string, string[]>();
  for (const label of labels) {
    const at = label.indexOf('=');
    const [key, value] = at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return [...values]
    .map(([key, all]) => (all.length === 1 ? `${key}=${all[0]}` : `${key} in (${all.join(',')})`))
    .join(',');
}
