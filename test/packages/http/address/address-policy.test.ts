import { describe, expect, it } from '@jest/globals';
import { parseAddressPolicy, refusalOf } from '#http/address/address-policy';
import { classifyIp, parseIp } from '#http/address/ip-address';

const classOf = (address: string): string => classifyIp(parseIp(address)!).class;

describe('the class of an address', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['10.1.2.3', 'private'],
    ['172.15.0.1', 'public'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['100.100.100.200', 'forbidden'],
    ['fd12::1', 'private'],
    ['fd00:ec2::254', 'forbidden'],
    ['127.0.0.1', 'forbidden'],
    ['127.255.255.254', 'forbidden'],
    ['0.0.0.0', 'forbidden'],
    ['169.254.169.254', 'forbidden'],
    ['224.0.0.1', 'forbidden'],
    ['255.255.255.255', 'forbidden'],
    ['192.0.2.5', 'forbidden'],
    ['198.18.0.1', 'forbidden'],
    ['::', 'forbidden'],
    ['::1', 'forbidden'],
    ['fe80::1%eth0', 'forbidden'],
    ['ff02::fb', 'forbidden'],
    ['2001:db8::1', 'forbidden'],
    ['4000::1', 'forbidden'],
  ])('HA7 %s is %s', (address, wanted) => {
    expect(classOf(address)).toBe(wanted);
  });

  it.each([
    ['mapped', '::ffff:127.0.0.1', 'forbidden'],
    ['mapped', '::ffff:a00:1', 'private'],
    ['mapped', '::ffff:8.8.8.8', 'public'],
    ['NAT64', '64:ff9b::a9fe:a9fe', 'forbidden'],
    ['NAT64', '64:ff9b::8.8.8.8', 'public'],
    ['6to4', '2002:7f00:1::', 'forbidden'],
    ['6to4', '2002:c0a8:101::1', 'private'],
    ['6to4', '2002:808:808::1', 'public'],
    ['Teredo', '2001:0:808:808::f5ff:fffe', 'private'],
    ['Teredo', '2001:0:808:808::80ff:fffe', 'forbidden'],
    ['Teredo', '2001:0:7f00:1:0:0:f7f7:f7f7', 'forbidden'],
    ['Teredo', '2001:0:808:808::f7f7:f7f7', 'public'],
  ])('HA7 judges %s %s by the IPv4 address it carries: %s', (_form, address, wanted) => {
    expect(classOf(address)).toBe(wanted);
  });
});

describe('the address policy', () => {
  const refusal = (
    allow: string[],
    address: string,
    host = address,
    port = 80,
    allowPrivate = false,
  ): string | undefined => refusalOf(parseAddressPolicy(allow, allowPrivate), { host, port, address });

  it('HA7 lets only public addresses through by itself, and names the setting that would let others', () => {
    expect(refusal([], '8.8.8.8')).toBeUndefined();
    expect(refusal([], '10.0.0.1', 'nas.lan')).toBe(
      'nas.lan (10.0.0.1) is a private network address; HAULIER_ALLOW_ADDRESSES or --allow-private would allow it',
    );
    expect(refusal([], '169.254.169.254')).toBe(
      '169.254.169.254 is a link-local address; HAULIER_ALLOW_ADDRESSES would allow it',
    );
  });

  it('lets private but not forbidden addresses through with the private setting', () => {
    expect(refusal([], '10.0.0.1', 'h', 80, true)).toBeUndefined();
    expect(refusal([], '127.0.0.1', 'h', 80, true)).toContain('loopback');
  });

  it.each([
    ['10.0.0.0/8', '10.200.0.1', 'x', 80, true],
    ['10.0.0.0/8', '11.0.0.1', 'x', 80, true],
    ['10.0.0.0/8', '192.168.0.1', 'x', 80, false],
    ['10.0.0.0/9', '10.128.0.1', 'x', 80, false],
    ['127.0.0.1', '127.0.0.1', 'x', 80, true],
    ['127.0.0.1', '127.0.0.2', 'x', 80, false],
    ['127.0.0.1', '::ffff:127.0.0.1', 'x', 80, true],
    ['127.0.0.1:8080', '127.0.0.1', 'x', 8080, true],
    ['127.0.0.1:8080', '127.0.0.1', 'x', 8081, false],
    ['::1', '::1', 'x', 80, true],
    ['fd00::/8', 'fd12::9', 'x', 80, true],
    ['[::1]:5001', '::1', 'x', 5001, true],
    ['[::1]:5001', '::1', 'x', 80, false],
    ['kubo.lan', '192.168.0.9', 'kubo.lan', 80, true],
    ['Kubo.lan:8080', '192.168.0.9', 'kubo.lan', 8080, true],
    ['kubo.lan:8080', '192.168.0.9', 'kubo.lan', 80, false],
    ['kubo.lan', '192.168.0.9', 'evil.lan', 80, false],
  ])('the entry %s and the address %s of %s:%i: allowed %s', (entry, address, host, port, wanted) => {
    expect(refusal([entry], address, host, port) === undefined).toBe(wanted);
  });

  it.each(['', '10.0.0.0/33', 'host/8', 'http://host', 'a b', '1.2.3.4:99999', '[::1'])(
    'refuses the entry "%s" with a message that says what would be right',
    (entry) => {
      expect(() => parseAddressPolicy([entry])).toThrow(/is not an address to allow: write for example/);
    },
  );
});
