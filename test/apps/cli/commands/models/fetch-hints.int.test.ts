import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { runCli, startCli, type CliEnd, type CliOptions } from '../../../../helpers/cli.ts';
import { sha256Of, someBytes } from '../../../../helpers/origin/origin-content.ts';
import { LOOPBACK_TLS } from '../../../../helpers/origin/origin-tls.ts';
import { startOrigin, type Origin } from '../../../../helpers/origin/origin.ts';
import { startRawServer, type RawAnswer, type RawServer } from '../../../../helpers/origin/raw-server.ts';
import { until } from '../../../../helpers/until.ts';

const bytes = Buffer.from(someBytes(6 * MIB, 'hints'));
const sha256 = sha256Of(bytes);
const NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const PAGE = '<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>';

describe('labels of a server on the bytes, on the command line', () => {
  let home: string;
  const closers: (() => unknown)[] = [];

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-hints-'));
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await rm(home, { recursive: true, force: true });
  });

  const fetch = (args: readonly string[], options: CliOptions = {}): Promise<CliEnd> =>
    runCli(['fetch', ...args, '--progress', 'none'], { cwd: home, ...options });

  async function origin(...args: Parameters<typeof startOrigin>): Promise<Origin> {
    const made = await startOrigin(...args);
    closers.push(() => made.close());
    return made;
  }

  async function raw(answer: (head: string, index: number) => RawAnswer, tls = false): Promise<RawServer> {
    const made = await startRawServer(answer, { tls });
    closers.push(() => made.close());
    return made;
  }

  /** A port that speaks TLS and plain HTTP, and sends from the first to the second. */
  async function bothSchemes(): Promise<number> {
    const plain = createHttpServer((_request, response) => response.end(bytes));
    const secure = createHttpsServer(LOOPBACK_TLS, ({ headers, url }, response) =>
      response.writeHead(302, { location: `http://${headers.host}${url}` }).end(),
    );
    const server = createServer((socket) => {
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return void socket.destroy();
        socket.unshift(first);
        (first[0] === 22 ? secure : plain).emit('connection', socket);
      });
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  it('B13 HR28 continues after every interruption where every part is labelled as a page', async () => {
    const html = { do: 'headers', set: { 'content-type': 'text/html' } } as const;
    const from = await origin({ files: { 'model.bin': bytes } });
    const what = [`${from.url}/files/model.bin`, '-o', 'x'];
    for (const extra of [['--sha256', sha256], []]) {
      // Less than half of a file that nothing proves is not kept.
      for (const sent of [4 * MIB, MIB]) {
        from.rules.splice(0, 1, { fault: [html, { do: 'stall', afterBytes: sent }] });
        const { child, ended, told } = startCli(['fetch', ...what, ...extra, '--progress', 'json'], { cwd: home });
        const doneBytes = (): number =>
          Math.max(0, ...[...told().matchAll(/"doneBytes":(\d+)/g)].map(([, count]) => Number(count)));
        await until(() => doneBytes() > (sent === MIB ? 4.2 : 3.5) * MIB, { what: 'enough of the file' });
        child.kill('SIGTERM');
        expect((await ended).code).toBe(143);
      }
      from.rules.splice(0, 1, { fault: html });
      const asked = from.requests.length;
      const { code, stderr } = await fetch([...what, ...extra]);
      expect([code, stderr]).toEqual([0, expect.stringContaining('here already')]);
      expect(from.requests.slice(asked).every(({ range }) => range !== undefined)).toBe(true);
      expect(sha256Of(await readFile(join(home, 'x')))).toBe(sha256);
      await rm(join(home, 'x'));
    }
  });

  it('B13 refuses the page of a captive portal at once, and the next fetch succeeds', async () => {
    const chunked = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n${PAGE.length.toString(16)}\r\n${PAGE}\r\n0\r\n\r\n`;
    const sized = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\n\r\n${PAGE}`;
    let isIn = false;
    let form = sized;
    const portal = await raw(() =>
      isIn ? { pieces: [`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`, bytes] } : { pieces: [form] },
    );
    const what = ['--sha256', sha256, '-o', 'x'];
    for (const size of [[], ['--size', String(bytes.length)]]) {
      for (form of [sized, chunked]) {
        isIn = false;
        const asked = portal.requests.length;
        const refused = await fetch([`${portal.url}/model.bin`, ...what, ...size]);
        expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('an HTML page')]);
        expect(portal.requests.length - asked).toBeLessThanOrEqual(1);
        isIn = true;
        expect((await fetch([`${portal.url}/model.bin`, ...what, ...size])).code).toBe(0);
        await rm(join(home, 'x'));
      }
    }
  });

  it('B07 names the coding of a body that was compressed on the way, and the next fetch succeeds', async () => {
    const packed = gzipSync(bytes.subarray(0, 3 * MIB));
    const head = 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n';
    let isIn = false;
    const from = await raw(() =>
      isIn
        ? { pieces: [`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`, bytes] }
        : { pieces: [head, `${packed.length.toString(16)}\r\n`, packed, '\r\n0\r\n\r\n'] },
    );
    for (const size of [[], ['--size', String(bytes.length)]]) {
      isIn = false;
      const what = [`${from.url}/model.bin`, '--sha256', sha256, '-o', 'x', ...size];
      const refused = await fetch(what);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('gzip although identity was asked')]);
      isIn = true;
      const { code, stderr } = await fetch(what);
      expect([code, stderr]).toEqual([0, expect.stringContaining('verified')]);
      await rm(join(home, 'x'));
    }
  });

  it('B07 reports once that unproven bytes are stored as sent', async () => {
    const packed = gzipSync(bytes.subarray(0, MIB));
    const headers = { 'content-encoding': 'x-gzip' };
    const from = await origin({ files: { 'a.tar.gz': packed } }, [], {
      rules: [{ path: 'a.tar.gz', fault: { do: 'headers', set: headers } }],
    });
    const { code, stderr } = await fetch([`${from.url}/files/a.tar.gz`]);
    expect(code).toBe(0);
    expect(stderr.match(/sent the file with content encoding x-gzip; it is stored as sent, not decoded/g)).toHaveLength(
      1,
    );
    expect((await readFile(join(home, 'a.tar.gz'))).equals(packed)).toBe(true);
    const proven = await fetch([`${from.url}/files/a.tar.gz`, '--sha256', sha256Of(packed), '-o', 'b', '--json']);
    expect([proven.code, proven.stderr]).toEqual([0, '']);
    expect(JSON.parse(proven.stdout)).toMatchObject({ verified: true });
  });

  it.each([
    ['--sha256', NOTHING],
    ['--md5', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['--size', '0'],
  ])('B18 takes 204 for an empty file where %s proves it', async (option, value) => {
    const from = await raw(() => ({ pieces: ['HTTP/1.1 204 No Content\r\n\r\n'] }));
    const { code, stdout } = await fetch([`${from.url}/empty.bin`, option, value]);
    expect([code, stdout]).toEqual([0, `${NOTHING}  ${join(home, 'empty.bin')}\n`]);
    expect((await readFile(join(home, 'empty.bin'))).length).toBe(0);
  });

  it('D18 HA9 sends the login of a URL and shows it nowhere', async () => {
    const login = Buffer.from('me@corp:s3cr#t').toString('base64');
    let isDown = false;
    const from = await raw((head) => {
      if (!head.includes(`Basic ${login}`))
        return {
          pieces: ['HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'],
        };
      const start = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`;
      return isDown ? { pieces: [start, bytes.subarray(0, 4 * MIB)], end: true } : { pieces: [start, bytes] };
    });
    const url = `${from.url.replace('://', '://me%40corp:s3cr%23t@')}/model.bin`;
    const isShown = (text: string): boolean => /s3cr|me%40corp|me@corp/.test(text);
    isDown = true;
    const broken = await fetch([url, '--sha256', sha256, '--json', '-o', 'x']);
    expect([broken.code, isShown(broken.stdout + broken.stderr)]).toEqual([1, false]);
    for (const name of await readdir(home)) {
      expect(isShown(name)).toBe(false);
      expect(isShown((await readFile(join(home, name))).toString('latin1'))).toBe(false);
    }
    isDown = false;
    const { code, stdout, stderr } = await fetch([url, '--sha256', sha256, '--json', '-o', 'x']);
    expect([code, isShown(stdout + stderr)]).toEqual([0, false]);
    const wrong = await fetch([url.replace('s3cr', 's4cr'), '-o', 'y']);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('the login in the URL was refused')]);
    expect(wrong.stderr).not.toContain('s4cr');
    const typo = await fetch([url.replace(/:\d+\//, ':99999/'), '-o', 'y']);
    expect([typo.code, isShown(typo.stderr)]).toEqual([2, false]);
  });

  it('D04 follows https to http only with --allow-downgrade and a digest', async () => {
    const port = await bothSchemes();
    const ca = join(home, 'ca.pem');
    await writeFile(ca, LOOPBACK_TLS.cert);
    const env = { NODE_EXTRA_CA_CERTS: ca };
    const url = `https://127.0.0.1:${port}/model.bin`;
    const refused = await fetch([url, '--sha256', sha256], { env });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('a redirect from https to http')]);
    const unproven = await fetch([url, '--allow-downgrade'], { env });
    expect([unproven.code, unproven.stderr]).toEqual([2, expect.stringContaining('needs a digest or a CID')]);
    expect((await fetch([url, '--allow-downgrade', '--sha256', sha256], { env })).code).toBe(0);
  });
});
