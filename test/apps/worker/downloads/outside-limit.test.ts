import { expect, it } from '@jest/globals';
import type { Source } from '#core/source';
import { MIB } from '#core/units';
import { TransferLimits } from '../../../../apps/worker/downloads/transfer-limits.ts';
import { isOutside } from '../../../../apps/worker/downloads/outside.ts';

const sourceOf = (layer: Source['layer'], origin: string): Pick<Source, 'layer' | 'origin'> => ({ layer, origin });

it('EX2 what comes from outside of a site are servers and hosts of other sites, not its hosts and not the disk', () => {
  const isFar = (origin: string): boolean => origin === 'http://far:7430';
  const sources = [
    sourceOf('ipfs', 'https://gateway.example'),
    sourceOf('bundled', 'https://mirror.example'),
    sourceOf('peer', 'http://far:7430'),
    sourceOf('peer', 'http://near:7430'),
    sourceOf('bundled', '/media/bundle.tar'),
    sourceOf('origin', '/srv/models/a.bin'),
  ];
  expect(sources.map((source) => isOutside(source, isFar))).toEqual([true, true, true, false, false, false]);
});

it('EX2 the part of a host in the limit of its site holds back what it takes from outside, until it is lifted', async () => {
  const limits = new TransferLimits({ limitBytesPerSecond: undefined, sourceLimits: new Map() });
  expect(limits.outside.take(10 * MIB)).toBeUndefined();
  limits.setOutside(MIB);
  const waits = limits.outside.take(10 * MIB);
  expect(waits).toBeInstanceOf(Promise);
  limits.setOutside(undefined);
  await waits;
});
