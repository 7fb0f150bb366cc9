import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import type { Delivery, Replayed, WebhookWithSecret } from '#contracts/http/webhooks';
import { RETRY_PAUSES_MS } from '#core/webhook/after-attempt';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import { claimDeliveries } from '#database/webhooks/claim-deliveries';
import { forgetEvents } from '#database/webhooks/delivery-queries';
import { startReceiver, verified } from '../../../helpers/receiver.ts';
import { until } from '../../../helpers/until.ts';
import { startWebhooks, type WebhookKit } from './webhook-kit.ts';

let kit: WebhookKit;
beforeEach(async () => {
  kit = await startWebhooks();
});
afterEach(() => kit.stop());

const test = async (id: string): Promise<Delivery> =>
  (await kit.admin('POST', `/api/webhooks/${id}/test`)).json<Delivery>();

describe('a message', () => {
  it('is verified by the library of the specification', async () => {
    const { id, secret } = await kit.add(['webhook.test']);
    const { messageId } = await test(id);
    const [message] = await kit.messages(1);
    expect(verified(secret, message!)).toMatchObject({ type: 'webhook.test', data: { askedBy: 'test admin' } });
    expect(message).toMatchObject({ id: messageId, path: '/hooks' });
    expect(message!.headers['content-type']).toBe('application/json');
    expect(() => verified(`whsec_${Buffer.alloc(32).toString('base64')}`, message!)).toThrow(/signature/i);
    const delivery = await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
    expect(delivery).toMatchObject({ attempts: 1, nextAttemptAt: null, tries: [{ status: 204, error: null }] });
    expect((await kit.webhook(id)).lastSuccessAt).not.toBeNull();
  });

  it('O12 is signed with both secrets for a day after a rotation', async () => {
    const created = await kit.add(['webhook.test']);
    const rotated = await kit.admin('POST', `/api/webhooks/${created.id}/rotate`);
    const { secret, formerSecretUntil } = rotated.json<WebhookWithSecret>();
    expect(formerSecretUntil).not.toBeNull();
    await test(created.id);
    const [message] = await kit.messages(1);
    for (const one of [secret, created.secret]) expect(verified(one, message!)).toBeDefined();
    kit.pass(DAY_MS + SECOND_MS);
    await test(created.id);
    const later = (await kit.messages(2))[1]!;
    expect(String(later.headers['webhook-signature']).split(' ')).toHaveLength(1);
    expect((await kit.webhook(created.id)).formerSecretUntil).toBeNull();
  });

  it('O01 comes again with its id and its body, and with a time of its own, until the endpoint takes it', async () => {
    const { id } = await kit.add(['webhook.test']);
    kit.receiver.answers.push(500, (response) => response.socket?.destroy(), 404);
    await test(id);
    for (const [index, pauseMs] of RETRY_PAUSES_MS.slice(0, 3).entries()) {
      await kit.awaitDelivery(id, ({ attempts }) => attempts === index + 1);
      kit.pass(1.1 * pauseMs);
      kit.sender.nudge();
    }
    const delivery = await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
    expect(delivery.tries.map(({ status }) => status)).toEqual([500, null, 404, 204]);
    expect(delivery.tries[1]!.error).not.toBeNull();
    const all = await kit.messages(4);
    expect(new Set(all.map((one) => one.id))).toEqual(new Set([delivery.messageId]));
    expect(new Set(all.map(({ body }) => body)).size).toBe(1);
    expect(new Set(all.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(4);
  });

  it('O04 is not sent to where a redirect leads', async () => {
    const other = await startReceiver();
    try {
      const { id } = await kit.add(['webhook.test']);
      kit.receiver.answers.push({ status: 307, headers: { location: other.url } });
      await test(id);
      const delivery = await kit.awaitDelivery(id, ({ attempts }) => attempts === 1);
      expect(delivery).toMatchObject({
        state: 'pending',
        tries: [{ status: 307, error: expect.stringMatching(/redirects/) }],
      });
      expect(other.received).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it('O02 waits as long as the endpoint asked, and so do the others of its webhook', async () => {
    const { id } = await kit.add(['webhook.test']);
    kit.receiver.answers.push({ status: 503, headers: { 'retry-after': '3600' } });
    await test(id);
    await kit.awaitDelivery(id, ({ attempts }) => attempts === 1);
    expect(new Date((await kit.webhook(id)).notBefore!).getTime() - kit.api.deps.now().getTime()).toBeGreaterThan(
      59 * MINUTE_MS,
    );
    await test(id);
    const free = await kit.add(['webhook.test']);
    await test(free.id);
    await kit.awaitDelivery(free.id, ({ state }) => state === 'delivered');
    expect((await kit.deliveries(id)).map(({ tries }) => tries.length)).toEqual([0, 1]);
    kit.pass(1.1 * HOUR_MS);
    kit.sender.nudge();
    await until(async () => (await kit.deliveries(id)).every(({ state }) => state === 'delivered'), {
      what: 'both came',
    });
  });

  it('O10 is delivered without the body of the answer being read', async () => {
    const { id } = await kit.add(['webhook.test']);
    let stop: NodeJS.Timeout | undefined;
    kit.receiver.answers.push((response) => {
      response.writeHead(200);
      stop = setInterval(() => response.write('x'.repeat(1000)), 5);
      response.on('close', () => clearInterval(stop));
    });
    await test(id);
    expect(await kit.awaitDelivery(id, ({ state }) => state === 'delivered')).toMatchObject({
      tries: [{ status: 200 }],
    });
    await until(() => kit.receiver.open.now === 0, { what: 'the connection is closed' });
  });

  it('O09 to an endpoint that does not answer holds up no other webhook', async () => {
    const hanging = await kit.add(['webhook.test']);
    let answer = (): void => undefined;
    kit.receiver.answers.push((response) => {
      answer = () => void response.end();
    });
    await test(hanging.id);
    await kit.messages(1);
    const other = await kit.add(['webhook.test']);
    await test(other.id);
    await kit.awaitDelivery(other.id, ({ state }) => state === 'delivered');
    expect((await kit.deliveries(hanging.id))[0]).toMatchObject({ state: 'pending', tries: [] });
    answer();
    await kit.awaitDelivery(hanging.id, ({ state }) => state === 'delivered');
  });
});

describe('a webhook is disabled', () => {
  it('O03 by 410; what waits is kept, and sent once it is enabled again', async () => {
    const watching = await kit.add(['webhook.disabled']);
    const { id } = await kit.add(['webhook.test'], { description: 'the old chat' });
    kit.receiver.answers.push(410);
    await test(id);
    await kit.messages(2);
    expect(await kit.webhook(id)).toMatchObject({ enabled: false, disabledReason: 'gone' });
    expect((await kit.deliveries(id))[0]).toMatchObject({ state: 'failed', tries: [{ status: 410 }] });
    const [told] = await kit.deliveries(watching.id);
    expect(told!.message).toMatchObject({
      type: 'webhook.disabled',
      data: { id, description: 'the old chat', reason: 'gone' },
    });
    const refused = await kit.admin('POST', `/api/webhooks/${id}/test`);
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([409, 'webhook-disabled']);
    const replay = `/api/webhooks/${id}/replay`;
    expect((await kit.admin('POST', replay)).statusCode).toBe(409);
    await kit.admin('PATCH', `/api/webhooks/${id}`, { enabled: true });
    expect((await kit.admin('POST', replay)).json<Replayed>()).toEqual({ replayed: 1 });
    await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
  });

  const failForDays = async (id: string): Promise<void> => {
    for (const [index, pauseMs] of RETRY_PAUSES_MS.entries()) {
      await until(async () => (await kit.deliveries(id)).some(({ attempts }) => attempts === index + 1), {
        what: `attempt ${index + 1} failed`,
      });
      kit.pass(1.1 * pauseMs);
      kit.sender.nudge();
    }
  };

  it('O11 when a message used up its attempts and no other got through', async () => {
    const { id } = await kit.add(['webhook.test']);
    kit.receiver.answers.push(...RETRY_PAUSES_MS.map(() => 500), 500);
    await test(id);
    await failForDays(id);
    const failed = await kit.awaitDelivery(id, ({ state }) => state === 'failed');
    expect(failed.tries).toHaveLength(RETRY_PAUSES_MS.length + 1);
    expect(await kit.webhook(id)).toMatchObject({ enabled: false, disabledReason: 'failing' });
  });

  it('O11 and stays enabled when another one got through meanwhile', async () => {
    const { id } = await kit.add(['webhook.test']);
    kit.receiver.answers.push(500, 204, ...RETRY_PAUSES_MS.map(() => 500));
    const first = await test(id);
    await kit.awaitDelivery(id, ({ attempts }) => attempts === 1);
    kit.pass(SECOND_MS);
    await test(id);
    await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
    await failForDays(id);
    const path = `/api/webhooks/${id}/deliveries/${first.id}`;
    await until(async () => (await kit.admin('GET', path)).json<Delivery>().state === 'failed', { what: 'it failed' });
    expect(await kit.webhook(id)).toMatchObject({ enabled: true });
    const again = await kit.admin('POST', `${path}/replay`);
    expect([again.statusCode, again.json<Delivery>().messageId]).toEqual([202, first.messageId]);
    await until(async () => (await kit.admin('GET', path)).json<Delivery>().state === 'delivered', { what: 'it came' });
  });
});

describe('several API processes', () => {
  it('O06 send each message once', async () => {
    const { id } = await kit.add(['webhook.test']);
    const others = [kit.startSender(), kit.startSender()];
    const count = 60;
    await Promise.all(Array.from({ length: count }, () => test(id)));
    for (const sender of others) sender.nudge();
    await until(async () => (await kit.webhook(id)).pending === 0, { what: 'all are delivered' });
    const ids = kit.receiver.received.map((one) => one.id);
    expect([ids.length, new Set(ids).size]).toEqual([count, count]);
  });

  it('O07 take over from one that died while it sent, with the same id', async () => {
    const { database, now } = kit.api.deps;
    await kit.sender.stop();
    const { id } = await kit.add(['webhook.test']);
    const { messageId } = await test(id);
    const options = { perWebhook: 8, forMs: MINUTE_MS, without: [] };
    const [died] = await claimDeliveries(database, options, now());
    expect(await claimDeliveries(database, options, now())).toEqual([]);
    expect(died).toMatchObject({ eventId: messageId, attempts: 0 });
    // The claim ends by the clock of the database.
    await database.pool.query(`UPDATE webhook_deliveries SET claimed_until = claimed_until - interval '1 minute'`);
    kit.startSender();
    await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
    expect((await kit.messages(1))[0]!.id).toBe(messageId);
  });

  it('O07 give back what they send when they stop', async () => {
    const { id } = await kit.add(['webhook.test']);
    kit.receiver.answers.push(() => undefined);
    await test(id);
    await kit.messages(1);
    await kit.sender.stop();
    expect((await kit.deliveries(id))[0]).toMatchObject({ state: 'pending', attempts: 0 });
    kit.startSender();
    await kit.awaitDelivery(id, ({ state }) => state === 'delivered');
  });
});

it('the list of deliveries has pages, and old events are forgotten unless they wait', async () => {
  const { database, now } = kit.api.deps;
  const { id } = await kit.add(['webhook.test']);
  kit.receiver.answers.push(500);
  await test(id);
  await kit.awaitDelivery(id, ({ attempts }) => attempts === 1);
  for (let n = 0; n < 4; n += 1) await test(id);
  await until(async () => (await kit.webhook(id)).pending === 1, { what: 'four are delivered' });
  const seen: string[] = [];
  for (let cursor = ''; ;) {
    const page = await kit.admin('GET', `/api/webhooks/${id}/deliveries?limit=2${cursor}`);
    const { deliveries, nextCursor } = page.json<{ deliveries: Delivery[]; nextCursor: string | null }>();
    seen.push(...deliveries.map((one) => one.id));
    if (nextCursor === null) break;
    cursor = `&cursor=${nextCursor}`;
  }
  expect([seen.length, new Set(seen).size]).toEqual([5, 5]);
  expect((await kit.deliveries(id, '&state=pending')).length).toBe(1);
  expect(await forgetEvents(database, new Date(now().getTime() + HOUR_MS))).toBe(4);
  expect((await kit.deliveries(id)).map(({ state }) => state)).toEqual(['pending']);
});
