import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDagBuilder } from '#content/dag/dag-builder';
import { SourceError } from '#core/failure';
import { blobPath } from '#store/layout';
import type { Store } from '#store/open-store';
import type { LocalContent } from '#store/blobs/take-content';
import { removeTemporaryFolders, sha256Of, temporaryStore } from '../temp-store.ts';

afterEach(removeTemporaryFolders);

const MIB = 1024 * 1024;
const bytes = randomBytes(9 * MIB);
const sha256 = sha256Of(bytes);

/** Chunks of a mebibyte. `read` remembers where it was begun, and breaks off before `until`. */
function contentOf(whole: Buffer, until = whole.length): LocalContent & { readonly starts: number[] } {
  const starts: number[] = [];
  return {
    ...{ sha256, sizeBytes: bytes.length, canSeek: true, starts },
    read: async function* (from) {
      starts.push(from);
      for (let at = from; at < whole.length; at += MIB) {
        if (at >= until) throw new SourceError('interrupted', 'stick', 'was pulled out');
        yield whole.subarray(at, at + MIB);
      }
    },
  };
}

const published = (store: Store): Promise<Buffer> => readFile(blobPath(store.paths, sha256));
const partials = (store: Store): Promise<string[]> => readdir(store.paths.partials);

describe('takeContent', () => {
  it('L32 goes on where an interrupted copy ended, in the same file', async () => {
    const store = await temporaryStore();
    await expect(store.takeContent(contentOf(bytes, 5 * MIB))).rejects.toMatchObject({ kind: 'interrupted' });
    const [left] = (await partials(store)).filter((name) => name.endsWith('.part'));
    const { ino, size } = await stat(join(store.paths.partials, left!));
    expect(size).toBe(5 * MIB);
    const again = contentOf(bytes);
    await store.takeContent(again);
    expect(again.starts).toEqual([5 * MIB]);
    expect((await stat(blobPath(store.paths, sha256))).ino).toBe(ino);
    expect((await published(store)).equals(bytes)).toBe(true);
    expect(await partials(store)).toEqual([]);
  });

  it('L32 starts again when what was left is wrong', async () => {
    const store = await temporaryStore();
    await expect(store.takeContent(contentOf(bytes, 5 * MIB))).rejects.toThrow('pulled out');
    const [left] = (await partials(store)).filter((name) => name.endsWith('.part'));
    await writeFile(join(store.paths.partials, left!), randomBytes(3 * MIB));
    const again = contentOf(bytes);
    await store.takeContent(again);
    expect(again.starts).toEqual([3 * MIB, 0]);
    expect((await published(store)).equals(bytes)).toBe(true);
  });

  it('L32 reads from the first byte what can be read in order only', async () => {
    const store = await temporaryStore();
    await expect(store.takeContent(contentOf(bytes, 5 * MIB))).rejects.toThrow('pulled out');
    const again = { ...contentOf(bytes), canSeek: false };
    await store.takeContent(again);
    expect(again.starts).toEqual([0]);
    expect((await published(store)).equals(bytes)).toBe(true);
  });

  it.each<[string, Buffer, string]>([
    ['other bytes', randomBytes(bytes.length), 'has SHA-256'],
    ['more bytes', Buffer.concat([bytes, bytes]), `more than ${bytes.length} bytes`],
    ['fewer bytes', bytes.subarray(0, MIB), `${MIB} bytes, not`],
  ])('L32 publishes nothing of %s, and leaves nothing', async (_what, whole, reason) => {
    const store = await temporaryStore();
    await expect(store.takeContent(contentOf(whole))).rejects.toThrow(reason);
    expect((await store.inventory()).fileCount).toBe(0);
    expect(await partials(store)).toEqual([]);
  });

  it('L34 names content by a CID only when its bytes lead there', async () => {
    const builder = createDagBuilder('unixfs-v0-2015');
    builder.update(bytes);
    const { profileCid } = builder.finish();
    for (const [text, cid] of [
      ['QmcRD4wkPPi6dig81r5sLj9Zm1gDCL4zgpEj9CfuRrGbzF', undefined],
      [profileCid, expect.stringMatching(/^bafybei/)],
    ] as const) {
      const store = await temporaryStore();
      const taken = await store.takeContent({ ...contentOf(bytes), cid: { text, profile: 'unixfs-v0-2015' } });
      expect(taken.cid).toEqual(cid);
    }
  });
});
