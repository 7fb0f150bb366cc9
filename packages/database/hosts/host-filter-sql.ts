import { FACT_PREFIX } from '#core/selector/host-labels';
import type { Condition, Selector } from '#core/selector/selector';

/** Which hosts are read; every part that is given has to hold. */
export interface HostRowFilter {
  /** Hosts that were heard of since this moment are online. */
  readonly aliveSince: Date;
  readonly status?: 'online' | 'offline' | 'draining' | undefined;
  /** In the form that names are compared in. */
  readonly namePart?: string | undefined;
  /** Of the worker; `unknown` for those that never told. */
  readonly versions?: readonly string[] | undefined;
  readonly isLowOnDisk?: boolean | undefined;
  /** Without its conditions on facts, which the caller has to look at. */
  readonly selector: Selector;
}

/** Less than a tenth of what the store has and could still take is free. */
export const LOW_ON_DISK_SQL = 'coalesce(h.free_bytes < 0.1::float8 * (h.store_bytes + h.free_bytes), false)';

/** Whether a selector has a condition that `hostConditions` leaves out. */
export const looksAtFacts = (selector: Selector): boolean =>
  selector.some((condition) => condition.is !== 'named' && condition.key.startsWith(FACT_PREFIX));

/**
 * @param given takes a value, and returns its place in the statement
 * @returns conditions on rows `h` of hosts
 */
export function hostConditions(filter: HostRowFilter, given: (value: unknown) => string): string[] {
  const { aliveSince, status, namePart, versions, isLowOnDisk, selector } = filter;
  return [
    ...(status === undefined ? [] : [statusSql(status, aliveSince, given)]),
    ...(namePart === undefined ? [] : [`strpos(h.name, ${given(namePart)}) > 0`]),
    ...(versions === undefined ? [] : [`coalesce(h.worker_version, 'unknown') = ANY(${given(versions)}::text[])`]),
    ...(isLowOnDisk === true ? [LOW_ON_DISK_SQL] : []),
    ...selector.filter((condition) => !looksAtFacts([condition])).map((condition) => labelSql(condition, given)),
  ];
}

function statusSql(
  status: NonNullable<HostRowFilter['status']>,
  aliveSince: Date,
  given: (value: unknown) => string,
): string {
  if (status === 'draining') return 'h.draining';
  return `h.last_seen_at ${status === 'online' ? '>=' : '<'} ${given(aliveSince)}`;
}

/** The same as `isSelected`, for labels and names. */
function labelSql(condition: Condition, given: (value: unknown) => string): string {
  if (condition.is === 'named') return `h.name LIKE ${given(likePattern(condition.pattern))}`;
  const key = `${given(condition.key)}::text`;
  // Labels that were set win over those of the worker.
  const value = `coalesce(h.labels ->> ${key}, h.worker_labels ->> ${key})`;
  switch (condition.is) {
    case 'exists':
      return `${value} IS NOT NULL`;
    case 'absent':
      return `${value} IS NULL`;
    case 'in':
      return `${value} = ANY(${given(condition.values)}::text[])`;
    case 'notin':
      return `(${value} = ANY(${given(condition.values)}::text[])) IS NOT TRUE`;
  }
}

/** Of a name pattern, in which `*` stands for any characters. */
const likePattern = (pattern: string): string =>
  pattern
    .toLowerCase()
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%');
