import { describe, expect, it } from '@jest/globals';
import type { DownloadReport } from '#fetch/download';
import { oneConnectionNotice, summaryLines } from '../../../../apps/cli/fetch/tell-fetch.ts';

const SHA256 = '4b'.repeat(32);
const GATEWAY = { source: 'gateway.example', layer: 'ipfs', mode: 'range', badLeaves: 0, errors: 0 } as const;
const MIRROR = { ...GATEWAY, source: 'mirror.example/x', layer: 'huggingface' } as const;

const report = (more: Partial<DownloadReport>): DownloadReport => ({
  ...{ path: '/models/m.bin', sizeBytes: 2_000_000, sha256: SHA256, cid: undefined, outcome: 'primary_success' },
  ...{ verified: true, resumedBytes: 0, wastedBytes: 0, badLeaves: 0 },
  sources: [
    { ...GATEWAY, bytes: 2_000_000, wastedBytes: 0, leftBecause: undefined },
    { ...MIRROR, bytes: 0, wastedBytes: 0, leftBecause: undefined },
  ],
  ...more,
});

describe('the first message of haulier fetch', () => {
  const from = 'https://host.example/m.bin';
  const cid = 'bafkqaht3ejugk3dmn4rduitgojxw2idjnzzwszdfebqsaq2jiqrh2cq';

  it('EX1 explains once why one connection is used for bytes that nothing will prove, and how to get more', () => {
    expect(oneConnectionNotice({ from, to: 'm.bin' })).toMatch(/^one connection only, .* give --sha256,/);
  });

  it.each([
    ['a digest is given', { from, digests: { sha256: SHA256 } }],
    ['a CID is asked for', { from: cid }],
    ['a hub knows the digest', { from: 'hf:org/model/m.bin' }],
    ['one connection was asked for', { from, connections: 1 }],
    ['it is a file of this machine', { from: 'file:///m.bin' }],
  ])('is not about connections when %s', (_, request) => {
    expect(oneConnectionNotice({ ...request, to: 'm.bin' })).toBeUndefined();
  });
});

describe('the summary of haulier fetch', () => {
  it('has path, size, time, speed, sources, and that the bytes are verified', () => {
    expect(summaryLines(report({}), 2000)).toEqual([
      '/models/m.bin  2.00 MB in 2.0 s (1.00 MB/s)  from gateway.example  verified',
    ]);
  });

  it('labels unproven bytes, with the SHA-256 for the next fetch', () => {
    const [line] = summaryLines(report({ verified: false }), 2000);
    expect(line).toMatch(/ {2}UNVERIFIED: nothing proved these bytes; for the next fetch: --sha256 (4b){32}$/);
    expect(line).not.toContain('  verified');
  });

  it('counts the bytes of an earlier run', () => {
    expect(summaryLines(report({ resumedBytes: 500_000 }), 10)[0]).toContain('  500 kB here already  ');
    expect(summaryLines(report({ resumedBytes: 2_000_000, sources: [] }), 10)[0]).toContain('  all of it here already');
  });

  it('lists first the discarded bytes by source, with the reason, without control characters', () => {
    const wasted = { wastedBytes: 300_000, leftBecause: 'it sent\u001b[2J corrupt bytes' };
    const sources = [
      { ...GATEWAY, bytes: 1_700_000, ...wasted },
      { ...MIRROR, bytes: 300_000, wastedBytes: 0, leftBecause: undefined },
    ];
    const lines = summaryLines(report({ sources }), 2000);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe('300 kB from gateway.example were discarded: it sent\ufffd[2J corrupt bytes');
    expect(lines[1]).toContain('from gateway.example, mirror.example/x  verified');
  });
});
