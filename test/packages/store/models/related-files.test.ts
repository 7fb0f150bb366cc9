import { afterEach, describe, expect, it } from '@jest/globals';
import { manualClock, partialOf, removeTemporaryFolders, sha256Of, temporaryStore } from '../temp-store.ts';
import { DAY_MS } from '#core/units';
import { blobPath } from '#store/layout';

afterEach(removeTemporaryFolders);

const bytesOf = (text: string): Buffer => Buffer.from(text);

describe('files of other versions of a model', () => {
  it('are named with those of the same path first, the newest version first, then the longest', async () => {
    const clock = manualClock();
    const store = await temporaryStore({ clock });
    const put = async (version: string, path: string, text: string, cid?: string): Promise<void> => {
      const view = { model: 'm', version, path };
      await store.publish({ ...(await partialOf(store, bytesOf(text), view)), cid });
      clock.advance(DAY_MS);
    };
    await put('1', 'a', 'a of the first', 'bafkreiaaa');
    await put('1', 'b', 'b, which is longer', 'bafkreibbb');
    await put('1', 'c', 'no cid');
    await put('2', 'a', 'a of the second', 'bafkreiccc');
    await put('3', 'a', 'the version that is to come', 'bafkreiddd');
    const found = await store.relatedFiles({ model: 'm', version: '3', path: 'a' });
    const ofText = (text: string, cid: string) => ({ path: blobPath(store.paths, sha256Of(bytesOf(text))), cid });
    expect(found).toEqual([
      ofText('a of the second', 'bafkreiccc'),
      ofText('a of the first', 'bafkreiaaa'),
      ofText('b, which is longer', 'bafkreibbb'),
    ]);
    expect(await store.relatedFiles({ model: 'another', version: '3', path: 'a' })).toEqual([]);
  });
});
