import { sign as signPlainly, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { isSignedBy, makeHostKeys, signerOf } from '#queue/events/batch-signature';

describe('the signature of a batch', () => {
  const keys = makeHostKeys();
  const sign = signerOf(keys.privateKey);
  const text = '{"version":1,"host":"gpu-1"}';

  it('N46 is right for the text and the key, and for nothing else', () => {
    const signature = sign(text);
    expect(isSignedBy(keys.publicKey, text, signature)).toBe(true);
    expect(isSignedBy(keys.publicKey, `${text} `, signature)).toBe(false);
    expect(isSignedBy(makeHostKeys().publicKey, text, signature)).toBe(false);
    expect(isSignedBy(keys.publicKey, text, sign('other'))).toBe(false);
  });

  it.each(['', 'no base64!', 'AAAA', 'A'.repeat(86) + '=='])('N46 is not "%s"', (signature) => {
    expect(isSignedBy(keys.publicKey, text, signature)).toBe(false);
  });

  it.each(['', 'AAAA', '!'])('N46 is not checked with the key "%s"', (publicKey) => {
    expect(isSignedBy(publicKey, text, sign(text))).toBe(false);
  });

  it('N46 of the key over the same text for another purpose counts for nothing', () => {
    const plain = signPlainly(null, Buffer.from(text), createPrivateKey(keys.privateKey)).toString('base64');
    expect(isSignedBy(keys.publicKey, text, plain)).toBe(false);
  });

  it('has a public half of 32 bytes', () => {
    expect(Buffer.from(keys.publicKey, 'base64')).toHaveLength(32);
  });
});
