import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('far_network.py', import.meta.url));
const PORT = 8080;
/** Longer than any test may take. */
const MOST_MS = 120_000;

export interface FarNetwork {
  /** Round trip to 10.99.0.2 to 10.99.0.254; milliseconds. */
  readonly rttMs: number;
  /** Addresses of each host name; those of IPv6 swallow what is sent to them. */
  readonly names: Readonly<Record<string, readonly string[]>>;
}

export interface FarEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The URL of a file in the folder that the far hosts serve. */
export const farUrl = (host: string, path: string): string => `http://${host}:${PORT}/${path}`;

/**
 * Runs a command in a network namespace of its own, in which a file server is far away.
 *
 * @param folder what the server serves
 */
export async function runFar(network: FarNetwork, folder: string, command: readonly string[]): Promise<FarEnd> {
  const words = ['--net', '--mount', 'python3', PROGRAM, JSON.stringify(network), folder, ...command];
  try {
    const env = { PATH: process.env['PATH'] };
    return { code: 0, ...(await promisify(execFile)('unshare', words, { env, timeout: MOST_MS })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
  }
}

/** @returns why this machine cannot make such a network, to be appended to the name of a test; '' when it can */
export async function whyNotFar(): Promise<string> {
  if (process.platform !== 'linux') return ': skipped, only on Linux';
  if (process.getuid?.() !== 0) return ': skipped, only root can make such a network';
  const end = await runFar({ rttMs: 1, names: {} }, '/', ['true']).catch((error: unknown) => ({
    code: 1,
    stderr: String(error),
  }));
  const reason = end.stderr.trim().split('\n').at(-1);
  return end.code === 0 ? '' : `: skipped, no such network here (${reason})`;
}
