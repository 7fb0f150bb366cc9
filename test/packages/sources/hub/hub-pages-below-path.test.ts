import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { hubTree } from '#sources/hub/hub-api';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { quickHttp } from '../collect.ts';

expectNoLeaks();

/** As repository managers name the endpoint of a hub that they pass on. */
const PREFIX = '/artifactory/api/huggingfaceml/models-remote';
const PAGE = '/api/models/org/m/tree/main';

it.each([
  ['at its own address', (url: string) => `${url}${PREFIX}${PAGE}`],
  ['at the hub that it passes on', () => `https://huggingface.co${PAGE}`],
  ['without a host', () => `${PREFIX}${PAGE}`],
])('F31 follows the next page of an endpoint whose path has an /api/, named %s', async (_, link) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const isFirst = asked.length === 1;
    if (isFirst) response.setHeader('link', `<${link(url)}?cursor=x>; rel="next"`);
    response.end(JSON.stringify([{ type: 'file', path: isFirst ? 'a' : 'b', size: 1 }]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = quickHttp();
  const repo = { http, endpoint: `${url}${PREFIX}`, repo: 'org/m', repoType: 'model', revision: 'main' } as const;
  try {
    const entries = await hubTree({ ...repo, trusted: true }, new AbortController().signal);
    expect(entries.map(({ path }) => path)).toEqual(['a', 'b']);
    expect(asked[1]).toBe(`${PREFIX}${PAGE}?cursor=x`);
  } finally {
    await http.close();
    server.close();
  }
});
