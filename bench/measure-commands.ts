import { spawn } from 'node:child_process';
import type { Program } from '#embedded/find-program';
import type { Measured } from './measured.ts';
import { endedChildrenCpuMs, peakBytesOf } from './process-facts.ts';

export interface Command {
  readonly program: Program;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const PEAK_EVERY_MS = 10;

/**
 * Runs programs one after another and adds up what they cost. Nothing else may be started and waited for meanwhile.
 *
 * @throws Error with the end of the program's output when it fails
 */
export async function measureCommands(commands: readonly Command[], signal: AbortSignal): Promise<Measured> {
  const cpuBefore = endedChildrenCpuMs();
  const startedAt = performance.now();
  let peakBytes = 0;
  for (const command of commands) peakBytes = Math.max(peakBytes, await runOne(command, signal));
  return { wallMs: performance.now() - startedAt, cpuMs: endedChildrenCpuMs() - cpuBefore, peakBytes };
}

/** @returns its peak memory */
function runOne({ program, args, env, cwd }: Command, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.path, args, {
      env: { PATH: process.env['PATH'], ...program.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(cwd !== undefined && { cwd }),
      signal,
    });
    let peakBytes = 0;
    let words = '';
    const look = (): void => {
      if (child.pid !== undefined) peakBytes = Math.max(peakBytes, peakBytesOf(child.pid) ?? 0);
    };
    const timer = setInterval(look, PEAK_EVERY_MS);
    look();
    child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2000)));
    child.on('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
    child.on('close', (code, killedBy) => {
      clearInterval(timer);
      if (code === 0) resolve(peakBytes);
      else reject(new Error(`${program.path} ended with ${killedBy ?? `code ${code}`}: ${words}`));
    });
  });
}
