import { parseJson } from '#core/text/parse-json';
import type { ProcessIdentity } from './process-identity.ts';

/** What stands in a lease file. Its mtime is the heartbeat. */
export interface LeaseRecord {
  readonly token: string;
  readonly host: string;
  readonly process: ProcessIdentity;
  /** What the holder wants to tell, such as the name of its partial. */
  readonly note: string;
}

/** A token becomes part of a file name: nothing but what `randomUUID` makes. */
const TOKEN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @returns undefined for a record that a crash left unfinished, or that is none of ours */
export function parseLease(raw: string): LeaseRecord | undefined {
  const value = parseJson(raw) as Partial<LeaseRecord> | null | undefined;
  if (typeof value?.token !== 'string' || !TOKEN.test(value.token) || typeof value.note !== 'string') return undefined;
  return { token: value.token, note: value.note, host: textOf(value.host), process: processIn(value.process) };
}

/** @param value what JSON gave; what is missing becomes empty, of which nothing can be proven */
export function processIn(value: unknown): ProcessIdentity {
  const { machine, place, pid, started } = (value ?? {}) as Partial<ProcessIdentity>;
  return { machine: textOf(machine), place: textOf(place), pid: Number(pid), started: textOf(started) };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
