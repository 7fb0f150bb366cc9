import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { runCli, startCli } from '../../../helpers/cli.ts';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { hold } from '../../../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { sha256OfFile } from '../../../helpers/sample-file.ts';
import { until } from '../../../helpers/until.ts';

const bytes = someBytes(8 * MIB, 'displaced');
const sha256 = sha256Of(bytes);
const dag = makeBlocks(bytes);

/** A folder and an origin of their own: the tests run side by side, as each of them waits until a process is taken for gone. */
async function inPlace(
  work: (place: { readonly home: string; readonly origin: Origin; readonly start: Start }) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'haulier-displaced-'));
  const origin = await startOrigin({
    ...{ files: { 'model.bin': bytes }, ipfs: { [dag.cid]: bytes }, blocks: dag.blocks },
  });
  const start: Start = (args) => {
    const what = [dag.cid, '--gateway', origin.url, '-o', 'm', '--progress', 'json'];
    const { child, ended, told } = startCli(['fetch', ...what, ...args], { cwd: home });
    const doneBytes = (): number => Number([...told().matchAll(/"doneBytes":(\d+)/g)].at(-1)?.[1] ?? 0);
    const hasTarget = async (): Promise<boolean> =>
      (await readFile(join(home, '.m.haulier-part.lease'), 'utf8')).includes(`"pid":${child.pid},`);
    return { child, ended, doneBytes, hasTarget };
  };
  try {
    await work({ home, origin, start });
  } finally {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  }
}

type Start = (args: readonly string[]) => Pick<ReturnType<typeof startCli>, 'child' | 'ended'> & {
  doneBytes(): number;
  hasTarget(): Promise<boolean>;
};

describe('a fetch that stands still and is taken for gone', () => {
  it.concurrent.each([
    ['before its first byte, while its successor works', 0, false],
    ['with bytes, while its successor works', MIB, false],
    ['with bytes, after its successor is done', MIB, true],
  ])('H05 HD7 ends as busy when it wakes up %s, and touches nothing of it', (_what, stopAtBytes, wakesLate) =>
    inPlace(async ({ home, origin, start }) => {
      origin.rules.push({ fault: stopAtBytes === 0 ? { do: 'hang' } : hold(4 * MIB).fault });
      const silent = start([]);
      await until(silent.hasTarget, { what: 'it has the target' });
      await until(() => silent.doneBytes() >= stopAtBytes, { what: 'it has its bytes' });
      silent.child.kill('SIGSTOP');
      origin.rules.length = 0;

      const heir = start(wakesLate ? [] : ['--limit-rate', '2M']);
      await until(heir.hasTarget, { what: 'it was taken for gone' });
      if (wakesLate) await heir.ended;
      else await until(() => heir.doneBytes() >= 3 * MIB, { what: 'its successor works' });
      silent.child.kill('SIGCONT');

      const { code, stderr } = await silent.ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error: .*(taken over|lease is gone)/m);
      expect((await heir.ended).code).toBe(0);
      expect(await sha256OfFile(join(home, 'm'))).toBe(sha256);
      expect(await readdir(home)).toEqual(['m']);
    }),
  );

  it.concurrent('H05 RE1 keeps its bytes for its successor, also where only a digest proves them', () =>
    inPlace(async ({ home, origin }) => {
      const args = ['fetch', `${origin.url}/files/model.bin`, '--sha256', sha256, '-o', 'm'];
      origin.rules.push({ fault: hold(7 * MIB).fault });
      const silent = startCli([...args, '--limit-rate', '1M', '--progress', 'json'], { cwd: home });
      await until(() => readdir(home).then((names) => names.some((name) => name.endsWith('.part.journal'))), {
        what: 'its first checkpoint',
      });
      silent.child.kill('SIGSTOP');
      origin.rules.pop();
      const again = await runCli([...args, '--json'], { cwd: home });
      const report = JSON.parse(again.stdout) as { resumedBytes: number; sources: { bytes: number }[] };
      expect(report.resumedBytes).toBeGreaterThan(0);
      expect(report.sources.reduce((sum, source) => sum + source.bytes, 0)).toBe(bytes.length - report.resumedBytes);
      silent.child.kill('SIGKILL');
      await silent.ended;
      expect(existsSync(join(home, 'm'))).toBe(true);
      expect(await readdir(home)).toEqual(['m']);
    }),
  );
});
