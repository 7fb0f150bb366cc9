import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { runCli, startCli, type CliEnd } from '../helpers/cli.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { bytesOf, sha256Of } from '../helpers/transfer-kit.ts';
import { until } from '../helpers/until.ts';
import { startCuttingProxy, type Cut, type CuttingProxy } from './cutting-proxy.ts';
import { fileServers, type RunningServer } from './file-servers.ts';

expectNoLeaks();
const SIZE = 6 * MIB + 777;
const CUT_AT = 4 * MIB;
const OLD = bytesOf(SIZE, 'old');
const NEW = bytesOf(SIZE, 'new');
const HOUR_MS = 3_600_000;

const folder = await mkdtemp(join(tmpdir(), 'haulier-file-servers-'));
const servers = await fileServers();

afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(servers.map((one) => ({ ...one, unless: one.whyNot === undefined ? '' : `: skipped, ${one.whyNot}` })))(
  'files of $name$unless',
  ({ name, whyNot, start }) => {
    const test = whyNot === undefined ? it : it.skip;
    const root = join(folder, name.replace(/\W/g, '-'));
    let server: RunningServer | undefined;
    let proxy: CuttingProxy | undefined;

    /** As a deploy does it: complete, and then under its name. */
    async function publish(bytes: Buffer, modifiedAt: Date): Promise<void> {
      await writeFile(join(root, '.next'), bytes);
      await utimes(join(root, '.next'), modifiedAt, modifiedAt);
      await rename(join(root, '.next'), join(root, 'model.bin'));
    }

    async function serve(cut: Partial<Cut>): Promise<void> {
      await mkdir(root, { recursive: true });
      await publish(OLD, new Date(Date.now() - HOUR_MS));
      server ??= await start(root);
      const before = (): Promise<void> => Promise.resolve();
      proxy = await startCuttingProxy(server.url, { afterBytes: CUT_AT, then: 'reset', before, ...cut });
    }

    const replace = (): Promise<void> => publish(NEW, new Date());
    const target = join(root, 'fetched.bin');
    const command = (...more: string[]): string[] => {
      return ['fetch', `${proxy!.url}/model.bin`, '-o', target, '--progress', 'none', ...more];
    };

    async function expectFetched(end: CliEnd, bytes: Buffer): Promise<void> {
      expect(end).toMatchObject({ code: 0 });
      const fetched = await readFile(target);
      // Compared by digest: Jest would print a difference of megabytes.
      expect(sha256Of(fetched)).toBe(sha256Of(bytes));
      expect(end.stdout).toContain(sha256Of(bytes));
    }

    afterEach(async () => {
      await proxy?.close();
      await server?.stop();
      [proxy, server] = [undefined, undefined];
      await rm(root, { recursive: true, force: true });
    });

    test('B20 HR3 replaced after a broken connection: wholly the new file', async () => {
      await serve({ before: replace });
      await expectFetched(await runCli(command()), NEW);
    });

    test.each(['SIGTERM', 'SIGKILL'] as const)(
      'B20 HR5 replaced between %s and the same command: wholly the new file',
      async (signal) => {
        await serve({ then: 'silence' });
        const first = startCli(command());
        await proxy!.cut;
        await received(root);
        first.child.kill(signal);
        await first.ended;
        await replace();
        await expectFetched(await runCli(command()), NEW);
      },
    );

    // serve-handler ends with an error at a name beyond Latin-1, which it puts into a header as it is.
    const testNames = name.startsWith('serve-handler') ? it.skip : test;
    testNames('HN4 B18 B13 B07 of odd names and contents, by one list with their digests', async () => {
      await serve({});
      const list = join(root, '.list');
      await writeFile(list, await listOf(server!.url, root));
      const folder = join(root, '.fetched');
      const end = await runCli(['fetch', '--input-file', list, '-o', folder, '--progress', 'none', '--strict']);
      expect(end).toMatchObject({ code: 0 });
      for (const [name, bytes] of ODD_FILES)
        expect([name, sha256Of(await readFile(join(folder, name)))]).toEqual([name, sha256Of(bytes)]);
    });

    test('B22 RE1 the same after a broken connection: success, with a digest and without', async () => {
      await serve({});
      await expectFetched(await runCli(command()), OLD);
      await proxy!.close();
      await rm(target);
      proxy = await startCuttingProxy(server!.url, {
        afterBytes: CUT_AT,
        then: 'reset',
        before: async () => undefined,
      });
      await expectFetched(await runCli(command('--sha256', sha256Of(OLD))), OLD);
    });
  },
);

/** Files whose name, type, coding or length is a trap for servers; none that a server would run, hide or write into. */
const ODD_FILES: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['empty.bin', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['a b (1)~c!.bin', bytesOf(1000, 'name')],
  ['größe-模型.bin', bytesOf(1000, 'letters')],
  ['page.bin', Buffer.from('<!doctype html><html><body>a page that is the file</body></html>')],
  ['weights.tar.gz', gzipSync(bytesOf(100_000, 'archive'))],
  ['tokenizer.json', Buffer.from('{"a": [1, 2, 3]}\n')],
  ['vocab.txt', Buffer.from('a\r\nb\n\ufeffc\n'.repeat(5000))],
];

/** An aria2 list of them. */
async function listOf(url: string, root: string): Promise<string> {
  const lines: string[] = [];
  for (const [name, bytes] of ODD_FILES) {
    await writeFile(join(root, name), bytes);
    lines.push(`${url}/${encodeURIComponent(name)}`, `  out=${name}`, `  checksum=sha-256=${sha256Of(bytes)}`);
  }
  return lines.join('\n');
}

/** Resolves when the partial holds what was sent of the file, but for the block that is not full yet. */
async function received(root: string): Promise<void> {
  const shown = OLD.subarray(CUT_AT - 2 * MIB, CUT_AT - MIB);
  const isThere = async (): Promise<boolean> => {
    const partial = (await readdir(root)).find((name) => name.endsWith('.part'));
    if (partial === undefined) return false;
    return (await readFile(join(root, partial))).subarray(CUT_AT - 2 * MIB, CUT_AT - MIB).equals(shown);
  };
  await until(isThere, { what: 'the partial holds what was sent' });
}
