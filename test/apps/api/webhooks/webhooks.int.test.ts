import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import type { WebhookList } from '#contracts/http/webhooks';
import { claimDeliveries } from '#database/webhooks/claim-deliveries';
import { createHttp } from '#http/pool';
import { sendMessage } from '../../../../apps/api/webhooks/send-message.ts';
import { startWebhooks, type WebhookKit } from './webhook-kit.ts';

let kit: WebhookKit;
beforeAll(async () => {
  kit = await startWebhooks();
});
afterAll(() => kit.stop());

describe('webhooks', () => {
  it('are for admins alone, and show their secret once', async () => {
    const created = await kit.add(['rollout.*'], { description: 'the chat of the operators' });
    expect(created).toMatchObject({ url: kit.receiver.url, events: ['rollout.*'], enabled: true, pending: 0 });
    expect(created.secret).toMatch(/^whsec_/);
    const listed = await kit.admin('GET', '/api/webhooks');
    expect(listed.json<WebhookList>().webhooks).toMatchObject([{ id: created.id, createdBy: 'test admin' }]);
    expect(listed.body).not.toContain('whsec_');
    const writer = await kit.api.call('GET', '/api/webhooks');
    expect([writer.statusCode, writer.json<Problem>().code]).toEqual([403, 'forbidden']);
    const changed = await kit.admin('PATCH', `/api/webhooks/${created.id}`, { events: ['*', '*'], enabled: false });
    expect(changed.json()).toMatchObject({ events: ['*'], enabled: false, disabledReason: 'manual' });
    expect((await kit.admin('DELETE', `/api/webhooks/${created.id}`)).statusCode).toBe(200);
    const gone = await kit.admin('GET', `/api/webhooks/${created.id}`);
    expect([gone.statusCode, gone.json<Problem>().code]).toEqual([404, 'unknown-webhook']);
  });

  it.each([
    [{ url: 'ftp://x.example/' }, /^\/url: .*https/],
    [{ url: 'https://user:secret@x.example/' }, /^\/url: .*login/],
    [{ url: 'https://x.example/#a' }, /^\/url: .*fragment/],
    [{ url: 'https://x.example/', events: ['rollout.finished'] }, /^\/events\/0: "rollout.finished"/],
    [{ url: 'https://x.example/', events: ['rollout.fialed'] }, /did you mean rollout.failed\?/],
    [{ url: 'https://x.example/', secret: 'whsec_c2hvcnQ=' }, /^\/secret: .*24 to 64 bytes/],
    [{ url: 'https://x.example/', secret: 'x'.repeat(40) }, /^\/secret: .*whsec_/],
  ])('name the field that is wrong in %j, and what would be right', async (body, right) => {
    const answer = await kit.admin('POST', '/api/webhooks', body);
    expect([answer.statusCode, answer.json<Problem>().detail]).toEqual([400, expect.stringMatching(right)]);
    expect(answer.body).not.toContain('secret@');
  });

  // 127.0.0.1 is allowed here, 127.0.0.2 is not.
  it.each(['http://10.0.0.1/', 'http://[::1]:80/', 'http://169.254.169.254/latest', 'http://0x7f.2/'])(
    'O05 refuse %s, and so they do when it is changed later',
    async (url) => {
      const { id } = await kit.add();
      for (const [method, path] of [
        ['POST', '/api/webhooks'],
        ['PATCH', `/api/webhooks/${id}`],
      ] as const) {
        const answer = await kit.admin(method, path, { url });
        expect([answer.statusCode, answer.json<Problem>().detail]).toEqual([
          400,
          expect.stringMatching(/^\/url: .*address/),
        ]);
      }
    },
  );

  it('O05 a name that leads to a private address is refused when it is connected, and nothing is sent', async () => {
    const addressPolicy = kit.api.deps.webhookAddresses;
    const resolve = async () => [{ address: '10.1.2.3', family: 4 }];
    const { id } = await kit.add(['webhook.test'], { url: 'http://rebound.example/' });
    await kit.sender.stop();
    await kit.admin('POST', `/api/webhooks/${id}/test`);
    const options = { perWebhook: 1, forMs: 1000, without: [] };
    const [delivery] = await claimDeliveries(kit.api.deps.database, options, kit.api.deps.now());
    const sent = await sendMessage(delivery!, {
      openHttp: () => createHttp({ addressPolicy, resolve }),
      now: kit.api.deps.now,
      signal: new AbortController().signal,
    });
    expect(sent).toMatchObject({
      status: undefined,
      error: expect.stringMatching(/10\.1\.2\.3\) is a private network/),
    });
  });
});
