import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Linux counts in hundredths of a second for programs, whatever the kernel's own tick. */
const TICK_MS = 10;

/** CPU time of all children of this process that have ended and were waited for; milliseconds. */
export function endedChildrenCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** @returns the largest resident set of the process so far, undefined when it has ended */
export function peakBytesOf(pid: number | 'self'): number | undefined {
  try {
    const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line ? Number(line[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

/** Resets the peak of this process. */
export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5');
}

/** CPU time of a running process and all its threads so far; milliseconds, to 10. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** CPU time of a process and of its present children; milliseconds, to 10 for each. Children that ended are in what their parent has. */
export function treeCpuMsOf(pid: number): number {
  const fieldsOf = (of: string): string[] | undefined => {
    try {
      return readFileSync(`/proc/${of}/stat`, 'utf8').split(') ')[1]!.split(' ');
    } catch {
      return undefined; // it ended meanwhile
    }
  };
  const sum = (fields: string[], from: number, to: number): number =>
    fields.slice(from, to).reduce((ticks, field) => ticks + Number(field), 0);
  let ticks = sum(fieldsOf(String(pid)) ?? [], 11, 15);
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const fields = fieldsOf(name);
    if (fields !== undefined && Number(fields[1]) === pid) ticks += sum(fields, 11, 13);
  }
  return ticks * TICK_MS;
}
