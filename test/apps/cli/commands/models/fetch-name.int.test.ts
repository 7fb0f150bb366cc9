import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCli, type CliEnd } from '../../../../helpers/cli.ts';
import { sha256Of } from '../../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../../helpers/origin/origin.ts';

const config = Buffer.from('{"a":1}');

describe('haulier fetch without -o', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-name-'));
    origin = await startOrigin({ files: { 'config.json': config } });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const fetch = (args: readonly string[]): Promise<CliEnd> => runCli(['fetch', ...args], { cwd: home });
  const filesIn = async (folder: string): Promise<string[]> =>
    (await readdir(join(home, folder), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();

  describe('the name of a file', () => {
    const served = (disposition: string): void =>
      void origin.rules.push({ fault: { do: 'headers', set: { 'content-disposition': disposition } } });
    const url = (): string => `${origin.url}/files/config.json`;

    it.each([
      [`attachment; filename="m 1.json"`, 'm 1.json'],
      [`attachment; filename=plain.json; filename*=UTF-8''%e2%82%ac%20rates.json`, '€ rates.json'],
      [`inline; filename="../../etc/cron.d/evil"`, 'evil'],
      [`attachment; filename*=UTF-8''..%2F..%2F.bashrc`, 'bashrc'],
      [`attachment; filename="a|b:c?.json"`, 'a_b_c_.json'],
      [`attachment; filename=".."`, 'config.json'],
      ['attachment', 'config.json'],
    ])('K37 is that of Content-Disposition %s', async (disposition, name) => {
      served(disposition);
      expect((await fetch([url()])).code).toBe(0);
      expect(await filesIn('.')).toEqual([name]);
      const again = await fetch([url(), '--sha256', sha256Of(config), '--json']);
      expect(JSON.parse(again.stdout)).toMatchObject({ path: join(home, name) });
      expect(await filesIn('.')).toEqual([name]);
    });

    it('K37 is never that of another file that is here, and -o goes before', async () => {
      served('attachment; filename="mine.txt"');
      await writeFile(join(home, 'mine.txt'), 'mine');
      await mkdir(join(home, 'd'));
      expect((await fetch([url()])).code).toBe(0);
      expect((await fetch([url(), '-o', 'other'])).code).toBe(0);
      expect((await fetch([url(), '-o', 'd'])).code).toBe(0);
      expect(await readFile(join(home, 'mine.txt'), 'utf8')).toBe('mine');
      expect(await filesIn('.')).toEqual(['config.json', 'mine.txt', 'mine.txt', 'other']);
    });
  });
});
