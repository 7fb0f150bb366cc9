import { afterEach, describe, expect, it } from '@jest/globals';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { firstConnected } from '#http/address/first-connected';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What an address does: answers after a time, refuses after a time, or never answers. */
type Manner = { readonly answersAfterMs: number } | { readonly refusesAfterMs: number } | 'silent';

interface Network {
  readonly begun: string[];
  readonly sockets: Socket[];
  readonly run: (timeoutMs?: number, signal?: AbortSignal, attemptDelayMs?: number) => Promise<Socket>;
}

/** Addresses whose distance is played by connecting late, as a far host answers late. */
async function network(hosts: readonly (readonly [string, Manner])[]): Promise<Network> {
  const port = await listen();
  const begun: string[] = [];
  const sockets: Socket[] = [];
  const manners = new Map(hosts);
  const start = ({ address }: LookupAddress): Socket => {
    begun.push(address);
    const socket = new Socket();
    socket.on('error', () => undefined);
    sockets.push(socket);
    closers.push(() => socket.destroy());
    const manner = manners.get(address)!;
    if (manner === 'silent') return socket;
    if ('answersAfterMs' in manner)
      setTimeout(() => socket.destroyed || socket.connect(port, '127.0.0.1'), manner.answersAfterMs);
    else setTimeout(() => socket.destroy(new Error(`connect ECONNREFUSED ${address}`)), manner.refusesAfterMs);
    return socket;
  };
  const addresses = hosts.map(([address]) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const run: Network['run'] = (timeoutMs = 5000, signal = new AbortController().signal, attemptDelayMs = 250) =>
    firstConnected({ addresses, start, timeoutMs, attemptDelayMs, what: 'no connection to far.example:443' }, signal);
  return { begun, sockets, run };
}

describe('connecting to a name with several addresses', () => {
  it.each([
    ['comes first and never answers', ['2001:db8::1', '192.0.2.1']],
    ['comes last and never answers', ['192.0.2.1', '2001:db8::1']],
  ])('C15 reaches an IPv4 address 600 ms away when the IPv6 address %s', async (_what, order) => {
    const { run, sockets } = await network(
      order.map((address) => [address, address.includes(':') ? 'silent' : { answersAfterMs: 600 }] as const),
    );
    const socket = await run();
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(sockets.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  });

  it('C15 reaches an address 600 ms away that is the first of ten, while all others are silent', async () => {
    const silent = Array.from({ length: 9 }, (_, i) => [`192.0.2.${i + 2}`, 'silent'] as const);
    const { run, sockets } = await network([['192.0.2.1', { answersAfterMs: 600 }], ...silent]);
    expect(await run()).toBe(sockets[0]);
    expect(sockets.slice(1).every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('C15 reaches the last of ten addresses in the first half of its time', async () => {
    const silent = Array.from({ length: 9 }, (_, i) => [`192.0.2.${i + 2}`, 'silent'] as const);
    const { run, begun } = await network([...silent, ['192.0.2.99', { answersAfterMs: 1 }]]);
    await run(20_000);
    expect(begun).toHaveLength(10);
  });

  it('C15 asks the next address at once when one refuses', async () => {
    const { run, begun } = await network([
      ['192.0.2.1', { refusesAfterMs: 1 }],
      ['192.0.2.2', { refusesAfterMs: 1 }],
      ['192.0.2.3', { answersAfterMs: 1 }],
    ]);
    await run(3_600_000, undefined, 600_000);
    expect(begun).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  });

  it('C15 lets the families take turns, so that a dead family costs one turn', async () => {
    const { run, begun } = await network([
      ['2001:db8::1', 'silent'],
      ['2001:db8::2', 'silent'],
      ['2001:db8::3', 'silent'],
      ['192.0.2.1', { answersAfterMs: 1 }],
    ]);
    await run(undefined, undefined, 1000);
    expect(begun).toEqual(['2001:db8::1', '192.0.2.1']);
  });

  it('C07 says how long it waited when no address answers, and what others said', async () => {
    const { run, sockets } = await network([
      ['2001:db8::1', { refusesAfterMs: 1 }],
      ['192.0.2.1', 'silent'],
    ]);
    await expect(run(100)).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'no connection to far.example:443 in 100 ms: connect ECONNREFUSED 2001:db8::1',
    });
    expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('names each reason when all addresses refuse', async () => {
    const { run } = await network([
      ['2001:db8::1', { refusesAfterMs: 1 }],
      ['192.0.2.1', { refusesAfterMs: 1 }],
    ]);
    await expect(run()).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'connect ECONNREFUSED 2001:db8::1; connect ECONNREFUSED 192.0.2.1',
    });
  });

  it('passes on the error of the only address', async () => {
    const { run } = await network([['192.0.2.1', { refusesAfterMs: 1 }]]);
    await expect(run()).rejects.toThrow('connect ECONNREFUSED 192.0.2.1');
  });

  it('ends with the reason of its signal, and every attempt with it', async () => {
    const stop = new AbortController();
    const { run, sockets } = await network([['192.0.2.1', 'silent']]);
    const running = run(5000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
    await expect(run(5000, stop.signal)).rejects.toThrow('enough');
  });
});
