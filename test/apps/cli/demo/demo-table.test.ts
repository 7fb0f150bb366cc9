import { describe, expect, it } from '@jest/globals';
import { demoTable, type FileReport } from '../../../../apps/cli/demo/file-report.ts';

const file = (path: string, outcome: string): FileReport => ({
  ...{ path, sizeBytes: 300_000_000, sha256: 'a1'.repeat(32), bytesPerSecond: 201e6, outcome },
  source: `127.0.0.1:34877/haulier/demo-model@main/${path}`,
  where: `/home/user/.haulier/demo/host/models/demo-m/${path}`,
});
const files = [file('onnx/decoder.bin', 'primary_success'), file('config.bin', 'secondary_success')];

describe('the table of the demo', () => {
  it('is complete on a wide terminal and in a file', () => {
    for (const table of [demoTable(files, undefined), demoTable(files, 400)])
      for (const text of [files[0]!.sha256, files[0]!.where, files[0]!.source, 'secondary_success', '201 MB/s'])
        expect(table).toContain(text);
  });

  it.each([
    [80, false],
    [120, true],
  ])('fits a terminal of %d columns', (columns, hasOutcome) => {
    const [table, where] = demoTable(files, columns).split('\n\n');
    expect(Math.max(...table!.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(table).toContain('a1a1a1a1a1a1…');
    expect(table!.includes('primary_success')).toBe(hasOutcome);
    expect(where).toBe('The files are in /home/user/.haulier/demo/host/models/demo-m/');
  });
});
