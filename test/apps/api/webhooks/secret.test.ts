import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from '@jest/globals';
import { makeSecret, signatureOf } from '../../../../apps/api/webhooks/secret.ts';

describe('the signature of a message', () => {
  it('is what the library of the specification makes', () => {
    const secret = makeSecret();
    const body = '{"type":"rollout.failed","data":{"name":"größe"}}';
    const at = new Date(1_700_000_000_000);
    const theirs = new Webhook(secret).sign('msg', at, body);
    expect(signatureOf([secret], 'msg', at.getTime() / 1000, body)).toBe(theirs);
  });

  it('is the one of the specification for its own example', () => {
    const signature = signatureOf(
      ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1_614_265_330,
      '{"test": 2432232314}',
    );
    expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('O12 has one part for each secret, and a receiver with either accepts it', () => {
    const [now, former] = [makeSecret(), makeSecret()];
    const atS = Math.floor(Date.now() / 1000);
    const headers = {
      'webhook-id': 'msg',
      'webhook-timestamp': String(atS),
      'webhook-signature': signatureOf([now, former], 'msg', atS, '{}'),
    };
    for (const secret of [now, former]) expect(new Webhook(secret).verify('{}', headers)).toEqual({});
    expect(() => new Webhook(makeSecret()).verify('{}', headers)).toThrow(/signature/i);
    expect(() => new Webhook(now).verify('{} ', headers)).toThrow(/signature/i);
  });

  it('has secrets of 32 random bytes', () => {
    const [one, two] = [makeSecret(), makeSecret()];
    expect(one).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(one).not.toBe(two);
  });
});
