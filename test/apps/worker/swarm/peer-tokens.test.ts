import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import { endOfPeerToken, makePeerTokenKey, publicHalfOf, signPeerToken } from '#http/peer-token';
import { TrackerClient } from '../../../../apps/worker/swarm/tracker-client.ts';
import { until } from '../../../helpers/until.ts';

const key = makePeerTokenKey();
const open: TrackerClient[] = [];
afterEach(async () => {
  for (const tracker of open.splice(0)) await tracker.stop();
});

/** A host whose clock is so far ahead of that of the API, after its first answer. */
async function hostAhead(aheadMs: number) {
  const apiNow = (): number => Date.now() - aheadMs;
  const tokenFor = (host: string, endsInMs: number): string =>
    signPeerToken(key, { host, cids: ['bafy'], untilMs: apiNow() + endsInMs });
  const told: unknown[] = [];
  const announce = async () => ({
    ...{ intervalMs: 60_000, site: '', files: [], token: tokenFor('host-a', 10 * MINUTE_MS) },
    tokenEndsInMs: 10 * MINUTE_MS,
  });
  const client = { announce, getSwarmKey: async () => ({ publicKey: publicHalfOf(key) }) };
  const logger = { ...silentLogger, warn: (fields: object) => void told.push(fields) };
  const tracker = new TrackerClient({ client, host: 'host-a', boot: 'boot-1', logger });
  open.push(tracker);
  tracker.start([]);
  tracker.fetches();
  await until(() => tracker.token !== undefined, { what: 'the first answer' });
  return { tracker, tokenFor, told };
}

describe('tokens of other hosts', () => {
  it.each([0, HOUR_MS, -HOUR_MS])(
    'C11 L17 are good by the clock of the API, %d ms behind that of the host',
    async (ms) => {
      const { tracker, tokenFor, told } = await hostAhead(ms);
      const token = tokenFor('host-b', 5 * MINUTE_MS);
      expect([tracker.allowedBy(token), tracker.allowedBy(token)]).toEqual([['bafy'], ['bafy']]);
      expect(tracker.allowedBy(tokenFor('host-b', -SECOND_MS))).toBeUndefined();
      expect(tracker.allowedBy(tokenFor('host-b', HOUR_MS))).toBeUndefined();
      expect(told).toEqual(ms === 0 ? [] : [{ aheadSeconds: ms / 1000 }]);
    },
  );

  it.each(['', 'token', 'bm8.sig', `${Buffer.from('{"untilMs":"1"}').toString('base64url')}.sig`])(
    'L17 %j says no end',
    (text) => {
      expect(endOfPeerToken(text)).toBeUndefined();
    },
  );
});
