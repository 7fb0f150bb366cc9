import { describe, expect, it } from '@jest/globals';
import { NamedHosts } from '../../../../apps/worker/swarm/named-hosts.ts';

const peer = (number: number, site = 'near') => ({
  ...{ host: `host-${number}`, urls: [`http://10.0.0.${number}:7430/`], site, have: 'AA' },
});
const peers = (first: number, count: number) => Array.from({ length: count }, (_, index) => peer(first + index));
const never = (): boolean => false;

describe('hosts that a tracker named', () => {
  it('N6 stay known when later answers name others, and those are known where there is room', () => {
    const known = new NamedHosts();
    known.take(peers(1, 24), never, 0);
    known.take(peers(25, 24), never, 2000);
    expect(known.urls).toHaveLength(32);
    expect(known.urls).toEqual(expect.arrayContaining(peers(1, 24).map(({ urls }) => urls[0])));
    const before = known.urls;
    known.take(peers(49, 24), never, 4000);
    expect(known.urls).toEqual(before);
  });

  it('N6 are known in any case while this host is to fetch something from them', () => {
    const known = new NamedHosts();
    known.take(peers(1, 32), never, 0);
    const isNeeded = ({ site }: { readonly site: string }): boolean => site === 'far';
    known.take([peer(99, 'far')], isNeeded, 2000);
    expect(known.at('http://10.0.0.99:7430/')).toMatchObject({ host: 'host-99' });
    expect(known.ofOrigin('http://10.0.0.99:7430')).toMatchObject({ site: 'far' });
    expect(known.urls).toHaveLength(32);
    known.take(peers(2, 30), isNeeded, 4000);
    expect(known.at('http://10.0.0.99:7430/')).toBeDefined();
  });

  it('N6 are forgotten when they cannot be fetched from, and when they were not named for two minutes', () => {
    const known = new NamedHosts();
    known.take(peers(1, 3), never, 0);
    known.drop(['host-1']);
    expect(known.at('http://10.0.0.1:7430/')).toBeUndefined();
    known.take([peer(2)], never, 100_000);
    known.take([], never, 130_000);
    expect(known.urls).toEqual(['http://10.0.0.2:7430/']);
  });
});
