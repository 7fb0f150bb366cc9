import { describe, expect, it } from '@jest/globals';
import { rootCertificates } from 'node:tls';
import { createHttp } from '#http/pool';
import { KNOWS_SYSTEM_AUTHORITIES, systemAuthorities } from '#http/connection/system-authorities';

describe('the authorities of the system', () => {
  const onNew = KNOWS_SYSTEM_AUTHORITIES ? it : it.skip;
  const onOld = KNOWS_SYSTEM_AUTHORITIES ? it.skip : it;

  onNew('stand beside those of Node, each once, and can be used', () => {
    const authorities = systemAuthorities();
    expect(authorities).toEqual(expect.arrayContaining([rootCertificates[0]]));
    expect(new Set(authorities).size).toBe(authorities.length);
    createHttp({ ca: authorities }).close();
  });

  onOld('are refused by a Node that cannot read them, with what can be done', () => {
    expect(systemAuthorities).toThrow(/^Node [\d.]+ cannot read the authority store.*22\.15.*NODE_EXTRA_CA_CERTS/);
  });
});
