import { describe, expect, it } from '@jest/globals';
import { nearestNames } from '../../../../apps/api/hosts/nearest-names.ts';

describe('names that are spelled alike', () => {
  it('are those with few other letters, nearest first, at most three', () => {
    expect(nearestNames('gpu-17', ['gpu-71', 'gpu-1', 'gpu-017', 'cpu-17', 'storage-1', 'gpu-18'])).toEqual([
      'cpu-17',
      'gpu-017',
      'gpu-1',
    ]);
  });

  it('are compared without case and shown as they are written', () => {
    expect(nearestNames('GPU-71', ['Gpu-17'])).toEqual(['Gpu-17']);
  });

  it('are none where nothing is near', () => {
    expect(nearestNames('gpu-17', ['storage-1', 'x'])).toEqual([]);
  });
});
