import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { bytesOf } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';
import { ask, cleansUp, publishBytes, served, type Answer, type Published, type Served } from '../serve-kit.ts';

cleansUp();
let server: Served;
let file: Published;
let url: string;

beforeAll(async () => {
  server = await served();
  // More than the kernel takes for a host that does not read.
  file = await publishBytes(server.store, bytesOf(24 * MIB, 'read slowly'));
  url = `${server.url}/swarm/${file.cid}`;
});

/** Hosts that take a few bytes a second, in slots of their own. */
async function trickles(count: number): Promise<readonly Trickle[]> {
  const all: Trickle[] = [];
  while (all.length < count) all.push(await trickle());
  return all;
}

type Trickle = Awaited<ReturnType<typeof trickle>>;

async function trickle() {
  const asked = request(url, { agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  const sip = setInterval(() => {
    const part = response.read(16) as Buffer | null;
    if (part !== null) parts.push(part);
  }, 200);
  return {
    /** Reads what is left as fast as it comes. */
    async finish(): Promise<Buffer> {
      clearInterval(sip);
      for await (const part of response) parts.push(part as Buffer);
      return Buffer.concat(parts);
    },
  };
}

const pieces = (count: number): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: count }, (_, index) =>
      ask(url, { headers: { range: `bytes=${index * MIB}-${(index + 1) * MIB - 1}` } }),
    ),
  );

describe('hosts that read a few bytes a second', () => {
  it('L35 have no slot while others wait: those get their pieces soon, and nothing breaks off', async () => {
    const slow = await trickles(2);
    const startedAt = performance.now();
    const answers = await pieces(6);
    // A connection on which nothing moves is left after 20 s at the earliest.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 206));
    for (const [index, { body }] of answers.entries())
      expect(body.equals(file.bytes.subarray(index * MIB, (index + 1) * MIB))).toBe(true);
    const wholes = await Promise.all(slow.map(({ finish }) => finish()));
    for (const whole of wholes) expect(whole.equals(file.bytes)).toBe(true);
  });

  it('L35 do not count once others waited, and their slots are not given twice when they end', async () => {
    const slow = await trickles(2);
    const load = async (): Promise<string> => (await ask(`${url}/have`)).headers['swarm-load'] as string;
    expect(await load()).toBe('2');
    await pieces(1);
    await until(async () => (await load()) === '0', { what: 'no upload has a slot' });
    await Promise.all(slow.map(({ finish }) => finish()));
    const again = await trickles(2);
    expect(await load()).toBe('2');
    await Promise.all(again.map(({ finish }) => finish()));
    await until(async () => (await load()) === '0', { what: 'all uploads ended' });
  });
});
