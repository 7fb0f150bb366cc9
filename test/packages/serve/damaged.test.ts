import { chmod, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { openStore } from '#store/open-store';
import { partialOf, sha256Of, temporaryStore } from '../store/temp-store.ts';
import { ask, cleansUp, hubView, numbered, publishBytes, served, type Served } from './serve-kit.ts';

cleansUp();

const CONFIG = Buffer.from('{"model_type":"tiny"}');

describe('content that is damaged on the disk', () => {
  const damaged = async (withLeaves: boolean): Promise<Served> => {
    const first = await temporaryStore();
    const bytes = numbered(1 * MIB, 3);
    const view = hubView('w.bin');
    if (withLeaves) await publishBytes(first, bytes, { view });
    else await first.publish(await partialOf(first, bytes, view));
    const { path } = (await first.look(sha256Of(bytes)))!;
    await chmod(path, 0o644);
    const handle = await open(path, 'r+');
    await handle.write(Buffer.of(255 - bytes[500]!), 0, 1, 500);
    await handle.close();
    // As after a start: nothing was hashed yet.
    return served({ store: await openStore({ home: first.paths.home }) });
  };

  it.each([true, false])('EX5 F18 is never sent to its end (leaves known: %s)', async (withLeaves) => {
    const { url } = await damaged(withLeaves);
    const whole = await ask(`${url}/acme/tiny/resolve/main/w.bin`);
    expect(whole.isBroken).toBe(true);
    expect(whole.body.length).toBeLessThan(MIB);
    expect((await ask(`${url}/acme/tiny/resolve/main/w.bin`)).status).toBe(503);
  });

  it('EX5 F18 is proven by its leaves where a client asks for a part', async () => {
    const { url } = await damaged(true);
    const part = await ask(`${url}/acme/tiny/resolve/main/w.bin`, { headers: { range: 'bytes=400-600' } });
    expect(part.isBroken).toBe(true);
  });

  it('EX5 F15 is a 503 where the file is gone: a 404 would say that the repository has none', async () => {
    const { store, url } = await served();
    const { sha256 } = await publishBytes(store, CONFIG, { view: hubView('c.json') });
    await rm(join(store.paths.blobs, sha256.slice(0, 2), sha256));
    expect((await ask(`${url}/acme/tiny/resolve/main/c.json`)).status).toBe(503);
  });
});
