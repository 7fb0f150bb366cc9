import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { nextBootNumber } from '../../../../apps/worker/enrolment/boot-number.ts';

describe('the number of a boot', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-boot-'));
  });
  afterEach(() => rm(home, { recursive: true }));

  it('N46 grows with every start, also when the clock was set back', async () => {
    expect(await nextBootNumber(home, 1000)).toBe(1000);
    expect(await nextBootNumber(home, 2000)).toBe(2000);
    expect(await nextBootNumber(home, 500)).toBe(2001);
    expect(await nextBootNumber(home, 500)).toBe(2002);
  });

  it('N46 goes on with the time when what was kept is lost or damaged', async () => {
    await nextBootNumber(home, 1000);
    await writeFile(join(home, 'worker', 'boot'), 'x');
    expect(await nextBootNumber(home, 3000)).toBe(3000);
  });
});
