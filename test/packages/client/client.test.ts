import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ApiError, UnreachableError } from '#client/api-error';
import { createClient } from '#client/client';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the client', () => {
  it('sends its token, its JSON and its query', async () => {
    const seen: (string | undefined)[] = [];
    const baseUrl = await serve((request, response) => {
      seen.push(request.method, request.url, request.headers.authorization);
      response.end('{}');
    });
    const client = createClient({ baseUrl: `${baseUrl}/`, token: 't' });
    await client.listDownloads({ status: ['pending', 'failed'], limit: 5 });
    await client.waitForDownload('x/y', { waitMs: 90_000, until: 'final' });
    await client.cancelDownload('x');
    await client.limitHost('gpu 1', { workerBytesPerSecond: null });
    expect(seen).toEqual(
      [
        ['GET', '/api/downloads?status=pending%2Cfailed&limit=5', 'Bearer t'],
        ['GET', '/api/downloads/x%2Fy?wait=60000ms&until=final', 'Bearer t'],
        ['POST', '/api/downloads/x/cancel', 'Bearer t'],
        ['PATCH', '/api/hosts/gpu%201/limits', 'Bearer t'],
      ].flat(),
    );
  });

  it('turns a problem document into an ApiError', async () => {
    const about = { type: '/problems/unknown-model', code: 'unknown-model' };
    const problem = { ...about, detail: 'there is no model "x"', status: 404 };
    const baseUrl = await serve((_request, response) => response.writeHead(404).end(JSON.stringify(problem)));
    const error = await createClient({ baseUrl })
      .getModel('x')
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 404, message: problem.detail, problem });
  });

  it.each([
    [502, '<html>bad gateway</html>'],
    [200, 'not JSON'],
    [404, '{"type":"about:blank","code":"unknown-model","detail":"of another server"}'],
  ])('does not trust status %i with the body %s', async (status, body) => {
    const baseUrl = await serve((_request, response) => response.writeHead(status).end(body));
    const error = await createClient({ baseUrl })
      .getStatus()
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'ApiError', status, problem: undefined });
  });

  it('reads readiness also when it is "not ready"', async () => {
    const baseUrl = await serve((_request, response) => response.writeHead(503).end('{"status":"not_ready"}'));
    expect((await createClient({ baseUrl }).getReadiness()).status).toBe('not_ready');
  });

  it('reports an API that cannot be reached', async () => {
    const baseUrl = await serve(() => undefined);
    await new Promise((resolve) => server!.close(resolve));
    const refused = await createClient({ baseUrl })
      .getStatus()
      .catch((caught: unknown) => caught);
    expect(refused).toBeInstanceOf(UnreachableError);
    expect((refused as Error).message).toContain('ECONNREFUSED');
  });

  it('gives up on a server that does not answer in time', async () => {
    const baseUrl = await serve(() => undefined);
    const late = createClient({ baseUrl, timeoutMs: 30 }).getStatus();
    await expect(late).rejects.toThrow('no answer in time');
  });

  it("rejects with the caller's own reason when he gives up", async () => {
    const baseUrl = await serve(() => undefined);
    const given = new AbortController();
    const waiting = createClient({ baseUrl }).waitForDownload('x', { waitMs: 1000, signal: given.signal });
    given.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
