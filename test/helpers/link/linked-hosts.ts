import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ip = async (...words: readonly string[]): Promise<void> => void (await promisify(execFile)('ip', words));
const PROGRAM = fileURLToPath(new URL('mdns-host.mjs', import.meta.url));

/** Two network namespaces with a cable between them, which know IPv6 alone: `fd00:68::1` and `fd00:68::2`. */
export interface Link {
  readonly addresses: readonly [string, string];
  /** Names of the namespaces, for `ip netns exec`. */
  readonly names: readonly [string, string];
  close(): Promise<void>;
}

/** @throws Error where this machine cannot make namespaces: only root of Linux can */
export async function openLink(): Promise<Link> {
  const names = [`haulier-${process.pid}-a`, `haulier-${process.pid}-b`] as const;
  const addresses = ['fd00:68::1', 'fd00:68::2'] as const;
  const made: string[] = [];
  const close = async (): Promise<void> => {
    for (const name of made.splice(0)) await ip('netns', 'delete', name);
  };
  try {
    for (const name of names) {
      await ip('netns', 'add', name);
      made.push(name);
    }
    await ip('-n', names[0], 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', names[1]);
    for (const [index, name] of names.entries()) {
      const end = ['-n', name] as const;
      // Without waiting until each address is seen to be free.
      await ip(...end, 'link', 'set', 'cable', 'addrgenmode', 'none');
      for (const address of [addresses[index]!, `fe80::${index + 1}`])
        await ip(...end, 'address', 'add', `${address}/64`, 'dev', 'cable', 'nodad');
      for (const device of ['lo', 'cable']) await ip(...end, 'link', 'set', device, 'up');
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, names, close };
}

/** @returns why this machine has no such link; undefined where it has */
export async function whyNoLink(): Promise<string | undefined> {
  try {
    await (await openLink()).close();
    return undefined;
  } catch (error) {
    return `no such network here (${String(error).trim().split('\n').at(-1)})`;
  }
}

/** A host in a namespace that looks for others. */
export interface LinkedHost {
  /** What it said last: the peers that it knows, and how they answered over HTTP. */
  readonly known: () => readonly { readonly url: string; readonly status: number }[];
  /** Ends it as a worker ends. */
  stop(): Promise<void>;
}

/** @param host address that its server listens on */
export function startLinkedHost(
  namespace: string,
  { host, port, siteKey }: { readonly host: string; readonly port: number; readonly siteKey: string },
): LinkedHost {
  const words = ['netns', 'exec', namespace, process.execPath, PROGRAM, host, `${port}`, siteKey];
  const child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let known: ReturnType<LinkedHost['known']> = [];
  createInterface({ input: child.stdout }).on('line', (line) => (known = JSON.parse(line) as typeof known));
  return { known: () => known, stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
