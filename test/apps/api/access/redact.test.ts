import { describe, expect, it } from '@jest/globals';
import { redacted, redactedText } from '../../../../apps/api/access/audit/redact.ts';

describe('what the audit keeps of a value', () => {
  it.each([
    ['a login in a URL', 'https://me:pw@host.example/a', 'https://…@host.example/a'],
    ['a presigned query', 'see https://h.example/a?X-Amz-Signature=1#f', 'see https://h.example/a?…#f'],
    ['a token of ours', 'haulier_pat_0123456789abcdef', '[hidden]'],
    ['a token of a hub', 'x hf_0123456789abcdef', 'x [hidden]'],
    ['a JSON Web Token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', '[hidden]'],
    ['plain words', 'whisper-base to gpu-1', 'whisper-base to gpu-1'],
  ])('T05 hides %s', (_what, text, expected) => {
    expect(redactedText(text)).toBe(expected);
  });

  it('T05 hides fields that are named after secrets, and keeps names of secrets', () => {
    const value = {
      token: 'x',
      apiKey: 'y',
      nested: [{ password: 'z' }],
      secretRef: 'hub',
      tokenId: 'id',
      secret: null,
    };
    expect(redacted(value)).toEqual({
      ...{ token: '[hidden]', apiKey: '[hidden]', nested: [{ password: '[hidden]' }] },
      ...{ secretRef: 'hub', tokenId: 'id', secret: null },
    });
  });

  it('is short, whatever was sent', () => {
    const hosts = Array.from({ length: 1000 }, (_, index) => `gpu-${index}`);
    expect(redacted({ hosts })).toEqual({ hosts: [...hosts.slice(0, 20), '… and 980 more'] });
    expect((redacted('x'.repeat(5000)) as string).length).toBe(301);
    const wide = Object.fromEntries(hosts.map((host) => [host, 'x'.repeat(50)]));
    expect(redacted(wide)).toMatch(/^\d+ characters of JSON, too many to keep$/);
    expect(redacted(undefined)).toBeNull();
  });
});
