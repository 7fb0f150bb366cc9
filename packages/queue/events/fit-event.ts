import { WorkerEvent } from '#contracts/worker/worker-events';

/**
 * Cuts texts and lists of an event to what the contract allows, so that one long message does not make the
 * recorder refuse the whole batch.
 *
 * @throws Error for an event that is wrong in any other way: a bug of its maker
 */
export function fitEvent(event: WorkerEvent): WorkerEvent {
  const first = WorkerEvent.safeParse(event);
  if (first.success) return first.data;
  const copy = structuredClone(event);
  for (const issue of first.error.issues)
    if (issue.code === 'too_big' && typeof issue.maximum === 'number') cut(copy, issue.path, issue.maximum);
  const second = WorkerEvent.safeParse(copy);
  if (second.success) return second.data;
  const [issue] = second.error.issues;
  throw new Error(
    `a ${event.type} event breaks its contract at ${issue?.path.map(String).join('.')}: ${issue?.message}`,
  );
}

function cut(root: object, path: readonly PropertyKey[], maximum: number): void {
  const last = path.at(-1);
  const parent = path.slice(0, -1).reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], root);
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  const holder = parent as Record<PropertyKey, unknown>;
  const value = holder[last];
  if (typeof value === 'string' || Array.isArray(value)) holder[last] = value.slice(0, maximum);
}
