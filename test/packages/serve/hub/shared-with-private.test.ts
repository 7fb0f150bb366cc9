import { expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { temporaryStore } from '../../store/temp-store.ts';
import { ask, cleansUp, hubView, HUB_COMMIT, publishBytes, served } from '../serve-kit.ts';

cleansUp();

const TOKENIZER = Buffer.from('{"version":"1.0"}');

it('EX5 a file of a repository that may be fetched is given to all, also where a private model has it too', async () => {
  const hub = await startOrigin({ repos: { 'acme/base': { commit: HUB_COMMIT, files: { 't.json': TOKENIZER } } } });
  const http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  const store = await temporaryStore();
  const pull = pullThrough({ store, allow: ['acme/base'], upstream: { http, hfEndpoint: hub.url, gateways: [] } })!;
  try {
    const { url } = await served({ store, pull, privateModels: ['tuned'] });
    const sources = [{ kind: 'huggingface' as const, repo: 'acme/tuned', revision: HUB_COMMIT, path: 't.json' }];
    await publishBytes(store, TOKENIZER, { view: hubView('t.json', { model: 'tuned', sources }) });
    const first = await ask(`${url}/acme/base/resolve/main/t.json`);
    expect([first.status, first.body]).toEqual([200, TOKENIZER]);
    // It is known by now that both have the same content.
    const again = await ask(`${url}/acme/base/resolve/main/t.json`);
    expect([again.status, again.body]).toEqual([200, TOKENIZER]);
    expect((await ask(`${url}/acme/tuned/resolve/main/t.json`)).headers['x-error-code']).toBe('RepoNotFound');
  } finally {
    pull.stop();
    http.close();
    await hub.close();
  }
});
