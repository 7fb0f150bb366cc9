import { afterEach, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { pullThrough } from '#serve/pull/pull-through';
import type { Store } from '#store/open-store';
import { startOrigin } from '../../helpers/origin/origin.ts';
import { temporaryStore } from '../store/temp-store.ts';
import { ask, cleansUp, HUB_COMMIT, jsonOf, served } from './serve-kit.ts';

cleansUp();

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** What a server without anything says of `acme/tiny`, which may be fetched from that hub. */
async function mirrored(store: Store, hfEndpoint: string): Promise<unknown> {
  const http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  const pull = pullThrough({ store, allow: ['acme/*'], upstream: { http, hfEndpoint, gateways: [] } })!;
  open.push(
    () => http.close(),
    () => pull.stop(),
  );
  return jsonOf(await ask(`${(await served({ store, pull })).url}/api/models/acme/tiny/revision/main`));
}

async function describedBy(about: object): Promise<{ description: unknown; whileAway: unknown }> {
  const hub = await startOrigin({
    repos: { 'acme/tiny': { commit: HUB_COMMIT, files: { a: Buffer.from('a') }, about } },
  });
  const store = await temporaryStore();
  const description = await mirrored(store, hub.url);
  await hub.close();
  return { description, whileAway: await mirrored(store, hub.url) };
}

describe('the description of a repository of the hub', () => {
  it('EX5 says what clients choose by, also while the hub is away', async () => {
    const about = {
      ...{ pipeline_tag: 'text-generation', library_name: 'transformers', tags: ['onnx', 'region:us'] },
      ...{ lastModified: '2026-02-03T04:05:06.000Z', createdAt: '2026-01-02T03:04:05.000Z' },
    };
    const { description, whileAway } = await describedBy(about);
    expect(description).toMatchObject({ sha: HUB_COMMIT, siblings: [{ rfilename: 'a' }], ...about });
    expect(whileAway).toEqual(description);
  });

  it('EX5 leaves out what has another form than clients expect', async () => {
    const { description } = await describedBy({ pipeline_tag: 7, tags: ['a', 1], lastModified: 'soon', sha512: 'x' });
    expect(description).toMatchObject({ tags: [], lastModified: '1970-01-01T00:00:00.000Z' });
    expect(description).not.toHaveProperty('pipeline_tag');
    expect(description).not.toHaveProperty('sha512');
  });
});
