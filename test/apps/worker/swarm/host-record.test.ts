import { describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from '#core/units';
import {
  announcementOf,
  heardHosts,
  TTL_S,
  type MdnsRecord,
  type HostRecord,
} from '../../../../apps/worker/swarm/host-record.ts';

const KEY = 'of-this-site';
const own: HostRecord = {
  ...{ peerId: '0c9d2f0e-2f6f-4a43-9d47-55ec0d4a0d52', port: 7430, site: 'eu-1', inventory: 'b'.repeat(64) },
};
/** Longest value of a label, as in Kubernetes. */
const LONGEST_LABEL = 63;
const NOW = Date.UTC(2026, 10, 30);

const announced = (ttl = TTL_S, host = own, key = KEY): MdnsRecord[] =>
  announcementOf(host, key, ['10.0.0.7'], ttl, NOW);
const heard = (answers: MdnsRecord[], key = KEY, now = NOW) => heardHosts({ answers, additionals: [] }, key, now);

const textOf = (answers: readonly MdnsRecord[]): string[] => {
  const record = answers.find(({ type }) => type === 'TXT');
  return record?.type === 'TXT' ? (record.data as string[]) : [];
};

const withText = (change: (line: string) => string): MdnsRecord[] =>
  announced().map((record) =>
    record.type === 'TXT' ? { ...record, data: (record.data as string[]).map(change) } : record,
  );

describe('the announcement of a host', () => {
  it('N6 says version, id, port, site and digest of the inventory in less than 400 bytes, and never a CID', () => {
    expect(announced()[0]).toMatchObject({ type: 'PTR', name: '_haulier._tcp.local' });
    const text = textOf(announced());
    expect(text.map((line) => line.split('=')[0])).toEqual(['v', 'id', 'port', 'site', 'inv', 'sig']);
    const longest = textOf(announced(TTL_S, { ...own, port: 65_535, site: 's'.repeat(LONGEST_LABEL) }));
    expect(longest.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)).toBeLessThan(400);
  });

  it('N6 is read by a host with the same key', () => {
    expect(heard(announced())).toEqual([{ ...own, addresses: [], ttlSeconds: TTL_S }]);
    expect(heard(announced(0))).toEqual([{ ...own, addresses: [], ttlSeconds: 0 }]);
    expect(heard(announced(TTL_S, { ...own, site: '', inventory: '' }))).toHaveLength(1);
  });

  it('N6 names the addresses of its own host', () => {
    const ours = announcementOf(own, KEY, ['10.0.0.7', 'fd00::7'], TTL_S, NOW);
    const others = announcementOf({ ...own, peerId: 'other' }, 'of-another-site', ['fd00::8'], TTL_S, NOW);
    expect(heard([...others, ...ours])).toEqual([{ ...own, addresses: ['fd00::7'], ttlSeconds: TTL_S }]);
  });

  it.each([
    ['of another key', announced(TTL_S, own, 'of-another-site')],
    ['with another port', withText((line) => line.replace('port=7430', 'port=22'))],
    ['with another id', withText((line) => line.replace('id=0c9d', 'id=1111'))],
    ['of another version', withText((line) => line.replace('v=1', 'v=2'))],
    ['without a signature', withText((line) => line.replace(/^sig=.*/, 'x'))],
    ['longer than allowed', announced(TTL_S, { ...own, inventory: 'b'.repeat(400) })],
    ['with text that is none', withText(() => '')],
    ['of another service', announced().map((record) => ({ ...record, name: 'x._http._tcp.local' }))],
  ])('L26 is not heard %s', (_, answers) => {
    expect(heard(answers)).toEqual([]);
  });

  it('L26 is not heard long after it was signed', () => {
    expect(heard(announced(), KEY, NOW + 4 * MINUTE_MS)).toHaveLength(1);
    expect(heard(announced(), KEY, NOW + 6 * MINUTE_MS)).toEqual([]);
  });
});
