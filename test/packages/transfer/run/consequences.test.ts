import { describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import { Consequences } from '#transfer/run/consequences';
import { SourceState } from '#transfer/run/source-state';
import { fakeSource } from '../../../helpers/fake-source.ts';

const stateOf = (name: string, kind: 'ipfs-gateway' | 'mirror', index: number): SourceState =>
  new SourceState(fakeSource(Buffer.alloc(1), { name, kind }), index, 'configured', 0);

function withGateways(count: number) {
  const gateways = Array.from({ length: count }, (_, index) => stateOf(`gateway-${index}`, 'ipfs-gateway', index));
  const mirror = stateOf('mirror', 'mirror', count);
  const consequences = new Consequences({
    states: [...gateways, mirror],
    budgets: DEFAULT_BUDGETS,
    logger: silentLogger,
    now: () => 0,
    random: () => 0,
  });
  const corrupts = (state: SourceState, isProvenByLeaves: boolean) => {
    const others = gateways.filter((one) => !one.isLeft && one !== state).length;
    const error = new SourceError('digest-mismatch', state.source.name, 'other bytes');
    return consequences.afterFailure(state, error, { otherSources: others, hasOtherLayer: true, isProvenByLeaves });
  };
  return { gateways, mirror, corrupts };
}

describe('corrupt bytes', () => {
  it('RE6 of a file without leaves lead to two other gateways, then to the next layer', () => {
    const { gateways, mirror, corrupts } = withGateways(5);
    const decisions = gateways.slice(0, 3).map((gateway) => corrupts(gateway, false).do);
    expect(decisions).toEqual(['next-source', 'next-source', 'next-layer']);
    expect(gateways.map(({ isLeft }) => isLeft)).toEqual([true, true, true, true, true]);
    expect(mirror.isLeft).toBe(false);
  });

  it('RE6 found by leaves affect only the source that sent them: the rest of the layer continues', () => {
    const { gateways, corrupts } = withGateways(5);
    for (const gateway of gateways.slice(0, 4)) expect(corrupts(gateway, true).do).toBe('next-source');
    expect(gateways.map(({ isLeft }) => isLeft)).toEqual([true, true, true, true, false]);
  });
});
