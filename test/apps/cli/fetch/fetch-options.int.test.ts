import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startDigests } from '#content/digest/digests';
import { DIGEST_ALGORITHMS, type Digests } from '#core/file-spec';
import { MIB } from '#core/units';
import { runCli, type CliEnd, type CliOptions } from '../../../helpers/cli.ts';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { sha256OfFile } from '../../../helpers/sample-file.ts';

const bytes = someBytes(8 * MIB, 'options');
const sha256 = sha256Of(bytes);
const dag = makeBlocks(bytes);
const digests = digestsOf(bytes);

function digestsOf(content: Buffer): Digests {
  const running = startDigests(DIGEST_ALGORITHMS, { sizeBytes: content.length });
  running.update(content);
  return running.finish().digests;
}

describe('the options of haulier fetch', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-options-'));
    origin = await startOrigin({ files: { 'model.bin': bytes }, ipfs: { [dag.cid]: bytes }, blocks: dag.blocks });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const url = (): string => `${origin.url}/files/model.bin`;
  const fetch = (args: readonly string[], options: CliOptions = {}): Promise<CliEnd> =>
    runCli(['fetch', ...args], { cwd: home, ...options });

  it.each(DIGEST_ALGORITHMS)('EX3 --%s proves the file, and refuses another one', async (name) => {
    const digest = digests[name]!;
    const proven = await fetch([url(), `--${name}`, digest.toUpperCase(), '-o', 'a']);
    expect([proven.code, proven.stdout]).toEqual([0, `${sha256}  ${join(home, 'a')}\n`]);
    expect(proven.stderr).toContain('  verified');
    const wrong = digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    const refused = await fetch([url(), `--${name}`, wrong, '-o', 'b']);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain(`${name} is ${digest}, not ${wrong}`);
    expect(await readdir(home)).toEqual(['a']);
  });

  it('--size refuses a file of another length', async () => {
    const { code, stderr } = await fetch([url(), '--size', String(bytes.length + 1)]);
    expect([code, await readdir(home)]).toEqual([1, []]);
    expect(stderr).toContain(String(bytes.length + 1));
    expect((await fetch([url(), '--size', String(bytes.length)])).code).toBe(0);
  });

  it('labels unproven bytes with their digest, and refuses them with --strict', async () => {
    const { code, stdout, stderr } = await fetch([url()]);
    expect([code, stdout]).toEqual([0, `${sha256}  ${join(home, 'model.bin')}\n`]);
    expect(stderr).toContain(`UNVERIFIED: nothing proved these bytes; for the next fetch: --sha256 ${sha256}`);
    expect(stderr.match(/one connection only/g)).toHaveLength(1);
    const asked = origin.requests.length;
    const strict = await fetch([url(), '--strict', '-o', 'b']);
    expect([strict.code, strict.stdout, origin.requests.length]).toEqual([1, '', asked]);
    expect(strict.stderr).toContain('nothing proves b: give its sha256 or its cid');
    expect((await fetch([url(), '--strict', '--sha256', sha256, '-o', 'b'])).code).toBe(0);
  });

  it('--mirror takes the percent sign of a name as it was meant', async () => {
    origin.serve({ files: { '50%.bin': bytes } });
    const { code } = await fetch([url(), '--mirror', `${origin.url}/files/50%.bin`, '--sha256', sha256]);
    expect(code).toBe(0);
  });

  it('takes bytes from files of this machine, and proves them', async () => {
    const local = join(home, 'older copy.bin');
    await writeFile(local, bytes);
    const from = pathToFileURL(local).href;
    expect(await fetch([from, '-o', 'a', '--sha256', sha256])).toMatchObject({ code: 0 });
    expect(await sha256OfFile(join(home, 'a'))).toBe(sha256);
    origin.serve({});
    const args = [url(), '--mirror', from, '--sha256', sha256, '-o', 'b', '--json'];
    const mirrored = await fetch(args);
    expect(mirrored.code).toBe(0);
    const { sources } = JSON.parse(mirrored.stdout) as { sources: { source: string; bytes: number }[] };
    expect(sources.filter(({ bytes: given }) => given > 0).map(({ source }) => source)).toEqual([from]);
    await writeFile(local, bytes.subarray(1));
    expect(await fetch([from, '--sha256', sha256, '-o', 'c'])).toMatchObject({ code: 1 });
    expect(await fetch(['file:older.bin', '-o', 'd'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('write file:///path'),
    });
  });

  it('--connections is the most that one source gets', async () => {
    // Longer than what the first connection is asked for at once.
    const large = someBytes(20 * MIB, 'large');
    const known = ['--sha256', sha256Of(large), '--size', String(large.length)];
    const connectionsWith = async (most: string): Promise<number> => {
      const slow = await startOrigin({ files: { 'model.bin': large } }, [], { bytesPerSecond: 8 * MIB });
      try {
        const args = [`${slow.url}/files/model.bin`, ...known, '--connections', most, '-o', most];
        expect((await fetch(args)).code).toBe(0);
        return slow.connections();
      } finally {
        await slow.close();
      }
    };
    expect(await connectionsWith('1')).toBe(1);
    expect(await connectionsWith('3')).toBeGreaterThan(1);
  });

  it('--stall-timeout leaves a source that falls silent', async () => {
    origin.rules.push({ path: '/files/model.bin', fault: { do: 'stall', afterBytes: MIB } });
    origin.serve({ files: { 'model.bin': bytes, b: bytes } });
    const args = [url(), '--mirror', `${origin.url}/files/b`, '--sha256', sha256, '--connections', '1', '--json'];
    const { code, stdout } = await fetch([...args, '--stall-timeout', '2s']);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { errors: string[] }).errors.join()).toMatch(/model\.bin: .*2000 ms/);
  });

  it('--strategy parallel asks all layers at once, ordered the next one only when the first is exhausted', async () => {
    const mirror = await startOrigin({ files: { 'model.bin': bytes } });
    const slow = await startOrigin({ ipfs: { [dag.cid]: bytes }, blocks: dag.blocks }, [], { bytesPerSecond: 8 * MIB });
    try {
      const args = [dag.cid, '--gateway', slow.url, '--mirror', `${mirror.url}/files/model.bin`];
      expect((await fetch([...args, '-o', 'a'])).code).toBe(0);
      expect(mirror.requests).toEqual([]);
      expect((await fetch([...args, '-o', 'b', '--strategy', 'parallel'])).code).toBe(0);
      expect(mirror.requests.length).toBeGreaterThan(0);
    } finally {
      await slow.close();
      await mirror.close();
    }
  });

  it('HA7 HAULIER_ALLOW_ADDRESSES allows the redirects to which its message points, and names a bad entry', async () => {
    const inner = await startOrigin({ files: { 'model.bin': bytes } });
    try {
      origin.rules.push({ fault: { do: 'redirect', to: `${inner.url}/files/model.bin` } });
      const withAllowed = (HAULIER_ALLOW_ADDRESSES: string): Promise<CliEnd> =>
        fetch([url(), '--sha256', sha256], { env: { HAULIER_ALLOW_ADDRESSES } });
      const refused = await withAllowed('');
      expect([refused.code, inner.requests]).toEqual([1, []]);
      expect(refused.stderr).toContain('HAULIER_ALLOW_ADDRESSES would allow it');
      const bad = await withAllowed('10.0.0.0/99');
      expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('HAULIER_ALLOW_ADDRESSES: "10.0.0.0/99"')]);
      expect((await withAllowed('127.0.0.0/8')).code).toBe(0);
    } finally {
      await inner.close();
    }
  });

  it('--sha256 without --size uses more than one connection of a server that promises ranges', async () => {
    const large = someBytes(40 * MIB, 'large');
    const slow = await startOrigin({ files: { 'model.bin': large } }, [], { bytesPerSecond: 8 * MIB });
    try {
      expect((await fetch([`${slow.url}/files/model.bin`, '--sha256', sha256Of(large)])).code).toBe(0);
      expect(slow.connections()).toBeGreaterThan(1);
    } finally {
      await slow.close();
    }
  });

  it('HA7 --allow-private follows a redirect into a private network, which is refused without it', async () => {
    // What lies in a private network is reached through a proxy here, which plays the network.
    const network = await startOrigin({ files: { 'model.bin': bytes } });
    try {
      origin.rules.push({ fault: { do: 'redirect', to: 'http://10.1.2.3/files/model.bin' } });
      const env = { HTTP_PROXY: network.url, NO_PROXY: '127.0.0.1' };
      const refused = await fetch([url(), '--sha256', sha256], { env });
      expect([refused.code, network.requests]).toEqual([1, []]);
      expect(refused.stderr).toContain('10.1.2.3 is a private network address');
      expect(refused.stderr).toContain('--allow-private would allow it');
      expect((await fetch([url(), '--sha256', sha256, '--allow-private'], { env })).code).toBe(0);
    } finally {
      await network.close();
    }
  });

  it('proves the bytes of a gateway URL by the CID in it', async () => {
    const { code, stdout } = await fetch([`${origin.url}/ipfs/${dag.cid}?filename=m.bin`, '--strict', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ path: join(home, 'm.bin'), cid: dag.cid, sha256, verified: true });
  });

  it.each(['fetch', 'model add'])('haulier %s --help shows no default that is none', async (command) => {
    const { stdout } = await runCli([...command.split(' '), '--help']);
    expect(stdout).toContain('repeatable');
    expect(stdout).not.toContain('default: []');
    expect(stdout).not.toContain('repeatable (default');
  });
});
