import { readFileSync, writeFileSync } from 'node:fs';

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
