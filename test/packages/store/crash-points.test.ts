import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { openStore } from '#store/open-store';
import { PUBLISH_STEPS } from '#store/blobs/publish-steps';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryFolder } from './temp-store.ts';

const run = promisify(execFile);
let folder: string;
let child: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-crash-'));
  child = join(folder, 'child.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'crash-child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(removeTemporaryFolders);

const view = (version: string, path = 'sub/model.bin') => ({ model: 'm', version, path, versionFileCount: 2 });

describe('a publish that is killed', () => {
  for (const linkMode of ['auto', 'symlink'] as const)
    it.each(PUBLISH_STEPS)(`H01 leaves the old or the new state after %s (${linkMode})`, async (dieAfter) => {
      const home = await temporaryFolder();
      const before = await openStore({ home, linkMode });
      const [old, next] = [randomBytes(70_000), randomBytes(80_000)];
      await before.publish(await partialOf(before, Buffer.from('b1'), view('1', 'b.bin')));
      await before.publish(await partialOf(before, old, view('1')));
      await before.publish(await partialOf(before, Buffer.from('b2'), view('2', 'b.bin')));
      const request = { ...(await partialOf(before, next, view('2'))), cid: 'bafkcid' };

      const ended = await run(process.execPath, [child, JSON.stringify({ home, request, dieAfter, linkMode })]).catch(
        (error: { signal?: string }) => error.signal,
      );
      expect(ended).toBe('SIGKILL');

      const shownPath = join(home, 'models/m/sub/model.bin');
      expect([sha256Of(old), sha256Of(next)]).toContain(sha256Of(await readFile(shownPath)));

      const after = await openStore({ home, linkMode });
      const record = (await after.records()).get('m')!;
      const shown = sha256Of(await readFile(shownPath));
      expect(shown).toBe(record.versions.get(record.version!)!.files.get('sub/model.bin')!.sha256);
      expect(shown).toBe(record.version === '1' ? sha256Of(old) : sha256Of(next));

      expect(await readFile(join(home, 'models/m/b.bin'), 'utf8')).toBe(`b${record.version}`);

      const partialLeft = await stat(request.partialPath).catch(() => undefined);
      const found = await after.find({ digests: { sha256: request.sha256 } });
      if (found === undefined) expect(sha256Of(await readFile(request.partialPath))).toBe(request.sha256);
      else expect(partialLeft).toBeUndefined();

      if (found === undefined) await after.publish(request);
      else await after.ensureView(found, view('2'));
      expect(sha256Of(await readFile(shownPath))).toBe(request.sha256);
      expect(await readFile(join(home, 'models/m/b.bin'), 'utf8')).toBe('b2');
      expect((await after.verify()).problems).toEqual([]);
      expect(await readdir(after.paths.locks)).toEqual([]);
    });
});
