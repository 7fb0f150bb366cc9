import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf } from '#core/error-facts';
import { MIB } from '#core/units';
import type { LinkedHost, Network, NetworkPlan } from './network.ts';

const run = promisify(execFile);

/** Namespaces and interfaces carry the process that made them: what a killed one left is removed by the next. */
const NAMESPACE = /^haulier-(\d+)-/;
const INTERFACE = /^hb(\d+)x/;
/** A queue that the algorithm below fills without losses; deeper ones only delay. */
const QUEUE = ['burst', '32kb', 'latency', '100ms'];
/** That of the machine may be BBR, which loses a quarter of the packets in such a queue. */
const CONGESTION = 'net.ipv4.tcp_congestion_control=reno';

/**
 * Why no network can be made here, in one sentence; undefined where it can: as root on Linux, with `ip` and `tc` of iproute2.
 */
export async function refusalOfNamespaces({ isApart = false } = {}): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need root on Linux';
  try {
    const network = await openNamespaces({ hosts: [{ name: 'probe', bytesPerSecond: MIB }], isApart });
    await network.close();
    return undefined;
  } catch (error) {
    return `no network namespace can be made: ${messageOf(error)}`;
  }
}

/**
 * Gives each host a network namespace, with a link to a bridge that its rate limits in both directions. The bridge is in the
 * namespace of this process, or in one of its own.
 *
 * @throws Error of `ip` or `tc`; nothing stays behind then
 */
export async function openNamespaces(plan: NetworkPlan): Promise<Network> {
  await removeStale();
  const network = new Bridges(plan.isApart ? namespaceOf('hub') : undefined);
  try {
    await network.build(plan);
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

/** Interfaces of this process so far: each has a name of its own. */
let made = 0;

const namespaceOf = (host: string): string => `haulier-${process.pid}-${host}`;

class Bridges implements Network {
  readonly kind = 'namespaces';
  /** Namespace of the bridges; undefined: that of this process. */
  readonly #hub: string | undefined;
  /** Two benches of one machine differ. */
  readonly #prefix = `10.${64 + (process.pid % 128)}`;
  readonly #addresses = new Map<string, string>();
  readonly #bridges: string[] = [];
  /** Ends of links that are at a bridge. */
  readonly #ends: string[] = [];

  constructor(hub: string | undefined) {
    this.#hub = hub;
  }

  get gateway(): string {
    return `${this.#prefix}.0.1`;
  }

  get block(): string {
    return `${this.#prefix}.0.0/16`;
  }

  addressOf(host: string): string {
    return this.#addresses.get(host)!;
  }

  get gatewayLauncher(): readonly string[] {
    return this.#hub === undefined ? [] : ['ip', 'netns', 'exec', this.#hub];
  }

  launcherOf(host: string): readonly string[] {
    return ['ip', 'netns', 'exec', namespaceOf(host)];
  }

  async build({ hosts, sites = [] }: NetworkPlan): Promise<void> {
    if (this.#hub !== undefined) await run('ip', ['netns', 'add', this.#hub]);
    const middle = await this.#bridge();
    await this.#ip('address', 'add', `${this.gateway}/16`, 'dev', middle);
    const bridgeOf = new Map<string | undefined, string>([[undefined, middle]]);
    for (const { name, bytesPerSecond } of sites) {
      const bridge = await this.#bridge();
      bridgeOf.set(name, bridge);
      await this.#connect(middle, bridge, bytesPerSecond);
    }
    for (const host of hosts) await this.#attach(host, bridgeOf.get(host.site)!);
  }

  async close(): Promise<void> {
    // A namespace takes its end with it a moment after it was removed.
    for (const end of this.#ends) await removed([...this.#at, 'link', 'delete', end]);
    for (const host of this.#addresses.keys()) await removed(['netns', 'delete', namespaceOf(host)]);
    for (const bridge of this.#bridges) await removed([...this.#at, 'link', 'delete', bridge]);
    if (this.#hub !== undefined) await removed(['netns', 'delete', this.#hub]);
  }

  /** Words of `ip` and `tc` that name the namespace of the bridges. */
  get #at(): readonly string[] {
    return this.#hub === undefined ? [] : ['-n', this.#hub];
  }

  #ip = (...words: readonly string[]): Promise<unknown> => run('ip', [...this.#at, ...words]);
  #limit = (device: string, rate: number): Promise<unknown> => run('tc', [...this.#at, ...limitOf(device, rate)]);

  #interface(): string {
    made += 1;
    return `hb${process.pid}x${made}`;
  }

  async #bridge(): Promise<string> {
    const name = this.#interface();
    await this.#ip('link', 'add', name, 'type', 'bridge');
    this.#bridges.push(name);
    await this.#ip('link', 'set', name, 'up');
    return name;
  }

  async #connect(one: string, other: string, bytesPerSecond: number): Promise<void> {
    const [near, far] = [this.#interface(), this.#interface()];
    await this.#ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
    this.#ends.push(near);
    for (const [end, bridge] of [
      [near, one],
      [far, other],
    ] as const) {
      await this.#ip('link', 'set', end, 'master', bridge, 'up');
      await this.#limit(end, bytesPerSecond);
    }
  }

  async #attach({ name, bytesPerSecond }: LinkedHost, bridge: string): Promise<void> {
    const [namespace, near] = [namespaceOf(name), this.#interface()];
    const count = this.#addresses.size;
    this.#addresses.set(name, `${this.#prefix}.${1 + Math.floor(count / 200)}.${1 + (count % 200)}`);
    await run('ip', ['netns', 'add', namespace]);
    await this.#ip('link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    this.#ends.push(near);
    await this.#ip('link', 'set', near, 'master', bridge, 'up');
    await run('ip', ['-n', namespace, 'address', 'add', `${this.addressOf(name)}/16`, 'dev', 'eth0']);
    for (const one of ['lo', 'eth0']) await run('ip', ['-n', namespace, 'link', 'set', one, 'up']);
    await this.#limit(near, bytesPerSecond);
    await run('tc', ['-n', namespace, ...limitOf('eth0', bytesPerSecond)]);
    await run('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', CONGESTION]);
  }
}

/** What the interface sends; the two ends of a link together limit both directions. */
const limitOf = (device: string, bytesPerSecond: number): string[] => [
  ...['qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', `${bytesPerSecond * 8}bit`],
  ...QUEUE,
];

/** Removes what processes that were killed left. */
async function removeStale(): Promise<void> {
  const { stdout: namespaces } = await run('ip', ['netns', 'list']);
  for (const [name = ''] of namespaces.split('\n').map((line) => line.split(' ')))
    if (isStale(NAMESPACE.exec(name)?.[1])) await removed(['netns', 'delete', name]);
  const gone = new Set<string | undefined>();
  for (const type of ['veth', 'bridge']) {
    const { stdout: links } = await run('ip', ['-brief', 'link', 'show', 'type', type]);
    // The two ends of a link between sites: the second one goes with the first.
    for (const [name = '', other] of links.split('\n').map((line) => line.split(' ')[0]!.split('@'))) {
      if (gone.has(name) || !isStale(INTERFACE.exec(name)?.[1])) continue;
      await removed(['link', 'delete', name]);
      gone.add(other);
    }
  }
}

function isStale(pid: string | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch {
    return true; // there is no such process
  }
}

/** What is gone already is no failure. */
const removed = async (words: readonly string[]): Promise<void> =>
  void (await run('ip', words).catch((error: unknown) => process.stderr.write(`  ${messageOf(error)}\n`)));
