import { describe, expect, it } from '@jest/globals';
import { labelsOf } from '#core/selector/host-labels';

const HOST = { name: 'gpu-1', labels: {}, workerLabels: {}, facts: {}, workerVersion: null };

describe('the labels of a host', () => {
  it('are those of its worker, those that were set, which win, and its facts', () => {
    const facts = { arch: 'arm64', os: 'linux', gpus: 0 };
    const labels = labelsOf({ ...HOST, facts, workerLabels: { a: 'w', b: 'w' }, labels: { b: 's' } });
    expect(labels).toEqual({
      ...{ a: 'w', b: 's' },
      ...{ 'haulier.io/arch': 'arm64', 'haulier.io/os': 'linux', 'haulier.io/gpus': '0' },
    });
  });

  it('leave out a fact that is no label value', () => {
    expect(labelsOf({ ...HOST, workerVersion: '1.0.0+build' })).toEqual({});
    expect(labelsOf({ ...HOST, workerVersion: '1.0.0' })).toEqual({ 'haulier.io/worker-version': '1.0.0' });
  });
});
