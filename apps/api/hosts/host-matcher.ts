import type { HostFacetsQuery } from '#contracts/http/hosts';
import { hostKey } from '#core/text/host-name';
import { selectableOf } from '#core/selector/host-labels';
import { isSelected, parseSelector } from '#core/selector/selector';
import type { HostMarks } from '#database/hosts/host-marks';
import type { Dependencies } from '../dependencies.ts';
import { isOnline } from './view.ts';

/** Less than this share of the disk of the store is low. */
const LOW_DISK = 0.1;

/** True when less than a tenth of what the store has and could still take is free. */
export const isLowOnDisk = ({ storeBytes, freeBytes }: Pick<HostMarks, 'storeBytes' | 'freeBytes'>): boolean =>
  storeBytes !== null && freeBytes !== null && freeBytes < LOW_DISK * (storeBytes + freeBytes);

/** @returns the test of a filter, in which every part has to hold */
export function hostMatcher(
  deps: Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>,
  { selector = '', status, q, version, disk }: HostFacetsQuery,
): (row: HostMarks) => boolean {
  const conditions = parseSelector(selector);
  const part = q === undefined ? undefined : hostKey(q);
  const tests: ((row: HostMarks) => boolean)[] = [
    ...(status === undefined ? [] : [statusTest(deps, status)]),
    ...(part === undefined ? [] : [(row: HostMarks) => row.name.includes(part)]),
    ...(version === undefined ? [] : [(row: HostMarks) => version.includes(row.workerVersion ?? 'unknown')]),
    ...(disk === undefined ? [] : [isLowOnDisk]),
    (row) => isSelected(conditions, selectableOf(row)),
  ];
  return (row) => tests.every((test) => test(row));
}

const statusTest =
  (deps: Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>, status: NonNullable<HostFacetsQuery['status']>) =>
  (row: HostMarks): boolean =>
    status === 'draining' ? row.draining : isOnline(row, deps) === (status === 'online');
