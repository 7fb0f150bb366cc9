import { describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../../../apps/worker/config.ts';

const read = (env: Record<string, string>) =>
  readWorkerConfig({ REDIS_URL: 'redis://127.0.0.1:6379', HAULIER_HOME: '/none', ...env }).swarm;

const KEY = { HAULIER_SITE_KEY: 'of-this-site' };

describe('how a worker finds other hosts', () => {
  it('N6 looks for none in the local network without a key, or with a server of this machine alone', () => {
    expect(read({}).localNetwork).toBeUndefined();
    expect(read(KEY).localNetwork).toBeUndefined();
    expect(read({ ...KEY, HAULIER_SERVE_BIND: '0.0.0.0', HAULIER_MDNS: 'off' }).localNetwork).toBeUndefined();
    expect(read({ ...KEY, HAULIER_SERVE: 'off', HAULIER_MDNS: '10.0.0.7' }).localNetwork).toBeUndefined();
  });

  it('N6 looks on all interfaces, or on the one that is named', () => {
    expect(read({ ...KEY, HAULIER_SERVE_BIND: '0.0.0.0' }).localNetwork).toEqual({
      interfaceAddress: undefined,
      host: '0.0.0.0',
    });
    expect(read({ ...KEY, HAULIER_MDNS: '127.0.0.1' }).localNetwork).toEqual({
      interfaceAddress: '127.0.0.1',
      host: '127.0.0.1',
    });
  });

  it('L26 refuses an interface without a key, and what is no interface', () => {
    expect(() => read({ HAULIER_MDNS: '10.0.0.7' })).toThrow(/HAULIER_MDNS is "10.0.0.7".*HAULIER_SITE_KEY/);
    expect(() => read({ ...KEY, HAULIER_MDNS: 'eth0' })).toThrow(
      /HAULIER_MDNS.*the IPv4 address of a network interface/,
    );
    expect(() => read({ ...KEY, HAULIER_MDNS: '10.0.0.300' })).toThrow(/HAULIER_MDNS/);
  });

  it('N6 has no tracker before it is enrolled', () => {
    expect(read({}).tracker).toBeUndefined();
  });
});
