import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  openLink,
  startLinkedHost,
  whyNoLink,
  type Link,
  type LinkedHost,
} from '../../../helpers/link/linked-hosts.ts';
import { until } from '../../../helpers/until.ts';

const whyNot = await whyNoLink();
const test = whyNot === undefined ? it : it.skip;

let link: Link | undefined;
const hosts: LinkedHost[] = [];
beforeAll(async () => {
  if (whyNot === undefined) link = await openLink();
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
});
afterAll(() => link?.close());

function start(index: 0 | 1, host: string, siteKey: string, port = 7430): LinkedHost {
  const started = startLinkedHost(link!.names[index], { host, port, siteKey });
  hosts.push(started);
  return started;
}

const answers = (index: 0 | 1) => [{ url: `http://[${link!.addresses[index]}]:7430`, status: 200 }];

describe(`hosts of a network without IPv4${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  test.each(['::', 'their own address'])('N6 find each other and hear when one leaves, listening on %s', async (on) => {
    const key = randomUUID();
    const [a, b] = ([0, 1] as const).map((index) => start(index, on === '::' ? on : link!.addresses[index], key));
    await until(() => a!.known().length > 0 && b!.known().length > 0, { what: 'both know each other' });
    expect([a!.known(), b!.known()]).toEqual([answers(1), answers(0)]);
    await b!.stop();
    await until(() => a!.known().length === 0, { what: 'the second one is gone' });
  });

  test('L26 do not know hosts with another key', async () => {
    const key = randomUUID();
    const [a, foreign, b] = [start(0, '::', key), start(1, '::', randomUUID(), 7431), start(1, '::', key)];
    await until(() => a.known().length > 0 && b.known().length > 0, { what: 'those with one key know each other' });
    expect([a.known(), foreign.known()]).toEqual([answers(1), []]);
  });
});
