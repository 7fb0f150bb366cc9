import { describe, expect, it } from '@jest/globals';
import { urlsOfServer } from '../../../../apps/worker/swarm/urls-of-server.ts';

const [HERE, THERE] = ['http://127.0.0.1:7420', 'https://haulier.example'];

describe('where other hosts reach the server of a worker', () => {
  it('N6 is its address', () => {
    expect(urlsOfServer({ host: '10.0.0.7', port: 7430 }, THERE)).toEqual(['http://10.0.0.7:7430']);
    expect(urlsOfServer({ host: 'fd00::7', port: 7430 }, THERE)).toEqual(['http://[fd00::7]:7430']);
  });

  it('N6 is nowhere for a server of this machine alone, unless the API is on this machine too', () => {
    expect(urlsOfServer({ host: '127.0.0.1', port: 7430 }, THERE)).toEqual([]);
    expect(urlsOfServer({ host: '127.0.0.1', port: 7430 }, HERE)).toEqual(['http://127.0.0.1:7430']);
    expect(urlsOfServer({ host: '::1', port: 7430 }, 'http://[::1]:7420')).toEqual(['http://[::1]:7430']);
  });

  it('N6 is no address of the loopback network for a server of all interfaces', () => {
    for (const url of urlsOfServer({ host: '0.0.0.0', port: 7430 }, THERE)) {
      expect(url).toMatch(/^http:\/\/\d+\.\d+\.\d+\.\d+:7430$/);
      expect(url).not.toContain('//127.');
    }
  });
});
