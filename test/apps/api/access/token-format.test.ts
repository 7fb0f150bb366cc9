import { describe, expect, it } from '@jest/globals';
import { readCredentials } from '../../../../apps/api/access/credentials.ts';
import { allows, areaOf } from '#core/scopes';
import { makeToken, mayBeToken } from '../../../../apps/api/access/token-format.ts';

describe('a token', () => {
  it('has a prefix, thirty random characters and a checksum', () => {
    const tokens = Array.from({ length: 100 }, () => makeToken('pat'));
    for (const token of tokens) expect(token).toMatch(/^haulier_pat_[0-9A-Za-z]{36}$/);
    expect(new Set(tokens).size).toBe(100);
  });

  it('recognises a typing mistake without a look-up', () => {
    const token = makeToken('pat');
    expect(mayBeToken(token)).toBe(true);
    const changed = token.slice(0, 20) + (token[20] === 'a' ? 'b' : 'a') + token.slice(21);
    expect(mayBeToken(changed)).toBe(false);
    expect(mayBeToken(token.slice(0, -1))).toBe(false);
  });

  it('may be any string where the operator chose it', () => {
    expect(mayBeToken('correct horse battery staple')).toBe(true);
  });
});

describe('readCredentials', () => {
  it.each([
    ['Bearer abc', { token: 'abc', scheme: 'bearer' }],
    ['bearer  abc', { token: 'abc', scheme: 'bearer' }],
    [`Basic ${Buffer.from('anyone:a:b').toString('base64')}`, { token: 'a:b', scheme: 'basic' }],
    [`Basic ${Buffer.from('nobody').toString('base64')}`, undefined],
    ['Digest abc', undefined],
    [`Bearer ${'x'.repeat(2000)}`, undefined],
    [undefined, undefined],
  ])('reads %s', (header, expected) => {
    expect(readCredentials(header)).toEqual(expected);
  });
});

describe('allows', () => {
  it.each([
    [['admin'], 'write', true],
    [['write'], 'read', true],
    [['read'], 'write', false],
    [['write'], 'admin', false],
    [['superuser'], 'read', false],
    [[], 'read', false],
  ] as const)('%j for %s: %s', (scopes, needed, expected) => {
    expect(allows(scopes, needed)).toBe(expected);
  });
});

describe('a scope of one part of the API', () => {
  it.each([
    [['rollouts:write'], 'read', 'rollouts', true],
    [['rollouts:write'], 'write', 'rollouts', true],
    [['rollouts:write'], 'write', 'hosts', false],
    [['rollouts:write'], 'read', undefined, false],
    [['rollouts:read'], 'write', 'rollouts', false],
    [['rollouts:write'], 'admin', 'rollouts', false],
    [['rollouts:admin'], 'read', 'rollouts', false],
    [['tokens:write'], 'read', undefined, false],
  ] as const)('%j for %s of %s: %s', (scopes, needed, area, expected) => {
    expect(allows(scopes, needed, area)).toBe(expected);
  });

  it.each([
    ['/api/rollouts/:id/pause', 'rollouts'],
    ['/api/bulk-actions', 'downloads'],
    ['/api/cids/:cid', 'models'],
    ['/api/source-orders/:layer', 'sources'],
    ['/metrics', 'metrics'],
    ['/api/tokens', undefined],
    ['/admin/queues', undefined],
  ])('is the one of %s', (route, area) => {
    expect(areaOf(route)).toBe(area);
  });
});
