import { describe, expect, it } from '@jest/globals';
import { addressOfSender, announcedAddresses } from '../../../../apps/worker/swarm/multicast-sockets.ts';

const reach = (host: string, interfaceAddress?: string) => ({ host, interfaceAddress });

describe('how a host of the local network is reached', () => {
  it('N6 is the address that its packet came from, with IPv4', () => {
    expect(addressOfSender('10.0.0.8', ['fd00::8'])).toBe('10.0.0.8');
  });

  it.each([
    ['link-local', 'fe80::8'],
    ['of another network', '2001:db8:1:2::8'],
    ['of this machine', '::1'],
    ['no address', 'x'],
  ])('L26 is no announced address that is %s', (_, address) => {
    expect(addressOfSender('fe80::8%eth0', [address])).toBeUndefined();
  });

  it('N6 is announced by the addresses that its server listens on', () => {
    expect(announcedAddresses(reach('fd00::7'))).toEqual(['fd00::7']);
    expect(announcedAddresses(reach('::', '10.0.0.7'))).toEqual(['10.0.0.7']);
    for (const address of announcedAddresses(reach('0.0.0.0'))) expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  });
});
