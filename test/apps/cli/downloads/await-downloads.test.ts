import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createProgram } from '../../../../apps/cli/program.ts';
import { runCommand, type CommandEnd, type CommandOptions } from '../../../helpers/command.ts';
import { until } from '../../../helpers/until.ts';

interface Row {
  readonly id: string;
  status: string;
  bytes: number;
}

const idOf = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

/** An API whose downloads do what a test says. It can be away, refuse connections, or ask for patience. */
class FakeApi {
  rows: Row[] = [];
  asked: string[] = [];
  /** What a request gets instead of an answer. */
  fault: ((response: ServerResponse, path: string) => boolean) | undefined;
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request.method!, request.url!, response));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** As a process that was killed: connections are cut, and the port refuses. */
  async stop(): Promise<void> {
    if (this.#server === undefined) return;
    const server = this.#server;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  #answer(method: string, target: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(target, this.url);
    this.asked.push(`${method} ${target}`);
    if (this.fault?.(response, pathname)) return;
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const all = this.rows.map((row) => this.#view(row));
    if (method === 'POST') {
      const request = { model: 'm', version: '1', hosts: ['gpu-1'], created: all.length, existing: 0 };
      return send(202, { request, downloads: all.length > 100 ? [] : all, links: { self: '/api/downloads' } });
    }
    const id = pathname.split('/')[3];
    if (id === undefined) {
      const ids = searchParams.get('id')?.split(',');
      return send(200, { downloads: ids ? all.filter((one) => ids.includes(one.id)) : all, nextCursor: null });
    }
    const row = this.rows.find((one) => one.id === id)!;
    if (searchParams.get('after') === String(this.#version(row))) {
      const timer = setInterval(() => {
        if (searchParams.get('after') === String(this.#version(row))) return;
        clearInterval(timer);
        send(200, { ...this.#view(row), tries: [] });
      }, 5);
      response.on('close', () => clearInterval(timer));
      return;
    }
    send(200, { ...this.#view(row), tries: [] });
  }

  #version = (row: Row): string => `${row.status}.${row.bytes}`;

  #view = (row: Row) => ({
    ...{
      ...row,
      host: 'gpu-1',
      file: `f${row.id.slice(-3)}.bin`,
      sizeBytes: 100,
      sha256: null,
      source: 's',
      path: null,
    },
    ...{ message: `it is ${row.status}`, version: this.#version(row), outcome: null, bytesPerSecond: null },
    ...{ model: { name: 'm', version: '1' }, percent: row.bytes },
  });
}

describe('haulier download --wait', () => {
  let api: FakeApi;
  beforeEach(async () => {
    api = new FakeApi();
    await api.start();
    api.rows = [{ id: idOf(1), status: 'pending', bytes: 0 }];
  });
  afterEach(() => api.stop());

  const run = (words: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> =>
    runCommand(
      async (context) => {
        await createProgram(context).parseAsync(['node', 'haulier', ...words]);
      },
      { ...options, env: { HAULIER_URL: api.url, HAULIER_TOKEN: 'x', HAULIER_HOME: '/nonexistent/haulier' } },
    );
  const isWaiting = () => until(() => api.asked.some((ask) => ask.includes('wait=')), { what: 'the command waits' });

  it('T07 says the id first, and ends with the one document', async () => {
    const ending = run(['download', 'm@1', '--host', 'gpu-1', '--wait', '--json']);
    await isWaiting();
    api.rows[0]!.status = 'success';
    const { code, stdout, stderr } = await ending;
    expect(code).toBe(0);
    expect(stderr.split('\n')[0]).toBe(`download ${idOf(1)}: f001.bin → gpu-1`);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ schema: 'haulier.downloads/v1', exitCode: 0 },
      downloads: [{ id: idOf(1), status: 'success', tries: [] }],
    });
  });

  it('T07 connects again when the API restarts, tells it once, and ends with the real result', async () => {
    const told: string[] = [];
    const onStderr = (text: string): unknown => told.push(text);
    const ending = run(['download', 'm@1', '--wait'], { onStderr });
    await isWaiting();
    await api.stop();
    await until(() => told.some((text) => text.includes('trying again')), { what: 'the outage is told' });
    api.rows[0]!.status = 'failed';
    await api.start();
    const { code, message, stderr } = await ending;
    expect([code, message]).toEqual([1, 'f001.bin: it is failed']);
    expect(stderr.match(/trying again/g)).toHaveLength(1);
    expect(stderr).toContain(`cannot reach ${api.url}`);
  });

  it('T07 creates again after a lost answer, because a repeat shares what is on its way', async () => {
    let lost = 0;
    api.fault = (response, path) => {
      if (path !== '/api/downloads' || lost++ > 0) return false;
      response.destroy();
      return true;
    };
    api.rows[0]!.status = 'success';
    expect((await run(['download', 'm@1', '--wait'])).code).toBe(0);
    expect(api.asked.filter((ask) => ask.startsWith('POST'))).toHaveLength(2);
  });

  it('T07 ends with 6 when the API stays away, with the id in the message and in the document', async () => {
    const ending = run(['download', 'm@1', '--wait', '--json', '--max-disconnect', '300ms']);
    await isWaiting();
    await api.stop();
    const { code, message, stdout } = await ending;
    expect(code).toBe(6);
    expect(message).toContain(`the result is unknown; to wait again: haulier download wait ${idOf(1)}`);
    expect(JSON.parse(stdout)).toMatchObject({ exitCode: 6, downloads: [{ id: idOf(1), status: 'pending' }] });
  });

  it('T07 waits as long as a 429 or a 503 of the API asks for', async () => {
    const refusals = [429, 503, 502];
    api.fault = (response, path) => {
      const status = path.includes(idOf(1)) ? refusals.shift() : undefined;
      if (status === undefined) return false;
      response.writeHead(status, { 'retry-after': '0' }).end('{}');
      return true;
    };
    api.rows[0]!.status = 'success';
    expect((await run(['download', 'wait', idOf(1)])).code).toBe(0);
  });

  it('T07 follows hundreds of downloads by lists, and names those that failed', async () => {
    api.rows = Array.from({ length: 250 }, (_, index) => ({ id: idOf(index), status: 'in_progress', bytes: 1 }));
    const ending = run(['download', 'm@1', '--host', 'gpu-1', '--wait', '--json', '--progress', 'plain']);
    await until(() => api.asked.some((ask) => ask.includes('?id=')), { what: 'lists are read' });
    for (const row of api.rows) row.status = 'success';
    api.rows[7]!.status = 'failed';
    const { code, stdout, stderr, message } = await ending;
    expect([code, message]).toEqual([1, 'f007.bin: it is failed']);
    const { downloads } = JSON.parse(stdout) as { downloads: Row[] };
    expect(downloads.map(({ id }) => id).sort()).toEqual(api.rows.map(({ id }) => id));
    expect(stderr).toContain('… and 230 more');
    expect(api.asked.filter((ask) => ask.includes('wait='))).toEqual([]);
  });

  it('T07 stops watching at --timeout and at Ctrl-C; the downloads go on, and the ids are said', async () => {
    const timedOut = await run(['download', 'm@1', '--wait', '--timeout', '100ms', '--json']);
    expect([timedOut.code, JSON.parse(timedOut.stdout)]).toMatchObject([
      124,
      { exitCode: 124, downloads: [{ id: idOf(1) }] },
    ]);
    expect(timedOut.message).toContain(`haulier download wait ${idOf(1)}`);
    const interrupt = new AbortController();
    const told: string[] = [];
    const ending = run(['download', 'wait', idOf(1)], {
      signal: interrupt.signal,
      onStderr: (text) => told.push(text),
    });
    const before = api.asked.length;
    await until(() => api.asked.slice(before).some((ask) => ask.includes('wait=')), { what: 'it waits' });
    interrupt.abort('SIGINT');
    await expect(ending).rejects.toBe('SIGINT');
    expect(told.join('')).toContain(`the downloads go on; to wait again: haulier download wait ${idOf(1)}`);
  });

  it('says with --json what was refused, as a document', async () => {
    api.fault = (response) => {
      response.writeHead(404, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({
          type: '/problems/unknown-model',
          code: 'unknown-model',
          detail: 'there is no model "m"',
          status: 404,
        }),
      );
      return true;
    };
    const { code, stdout } = await run(['download', 'm@1', '--wait', '--json']);
    expect([code, JSON.parse(stdout)]).toMatchObject([4, { code: 'unknown-model', exitCode: 4 }]);
  });

  it('lists downloads as a table and as a document', async () => {
    const { stdout } = await run([
      'download',
      'list',
      '--model',
      'm@1',
      '--status',
      'pending,failed',
      '--host',
      'gpu-1',
    ]);
    expect(stdout).toContain(idOf(1));
    expect(api.asked.at(-1)).toBe('GET /api/downloads?model=m&version=1&host=gpu-1&status=pending%2Cfailed&limit=50');
    expect(JSON.parse((await run(['download', 'list', '--json'])).stdout)).toMatchObject({
      downloads: [{ id: idOf(1) }],
    });
  });

  it.each([
    [['download', 'm', '--wait', '--max-disconnect', 'soon'], '--max-disconnect is "soon"'],
    [['download', 'wait', idOf(1), '--timeout', '-1'], '--timeout is "-1"'],
    [['download', 'pause'], 'say which downloads to pause'],
    [['download', 'cancel', idOf(1), '--model', 'm'], 'not both'],
    [['download', 'list', '--limit', '0'], '--limit is "0"'],
  ])('refuses %j', async (words, why) => {
    const { code, message } = await run(words);
    expect([code, message]).toEqual([2, expect.stringContaining(why)]);
  });
});
