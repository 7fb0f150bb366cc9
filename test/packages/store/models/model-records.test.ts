import { describe, expect, it } from '@jest/globals';
import { decodeRecords, encodeRecords, type FileRecord, type ModelRecords } from '#store/models/model-records';
import { addFiles } from '#store/models/record-changes';
import { toV0 } from '../../../helpers/dag/cid-forms.ts';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

const [fileCid, otherCid, folderCid] = ['file', 'other', 'folder'].map(
  (seed) => makeBlocks(bytesOf(300, seed), { chunkBytes: 100 }).cid,
) as [string, string, string];
const fileOf = (cid: string): FileRecord => ({ sha256: 'a'.repeat(64), sizeBytes: 300, cid, publishedAt: 'now' });
const add = (records: ModelRecords, path: string, cid: string, ipfsHash?: string): ModelRecords =>
  addFiles(records, {
    model: 'm',
    version: '1',
    files: new Map([[path, fileOf(cid)]]),
    ...(ipfsHash === undefined ? {} : { ipfsHash }),
  });
const hashOf = (records: ModelRecords | undefined): string | null | undefined =>
  records?.get('m')?.versions.get('1')?.ipfsHash;

describe('VE1 the CID that a version was published as', () => {
  it('is dropped when it is that of one of its files, in whatever spelling an earlier program wrote it', () => {
    const records = add(new Map(), 'a', fileCid, folderCid);
    expect(hashOf(decodeRecords(encodeRecords(records), 'x'))).toBe(folderCid);
    for (const written of [fileCid, toV0(fileCid)])
      expect(hashOf(decodeRecords(encodeRecords(records).replace(folderCid, written), 'x'))).toBeNull();
  });

  it('is dropped of each version, not of the current one only', () => {
    const current = new Map([['m', { ...add(new Map(), 'a', fileCid, folderCid).get('m')!, version: '1' }]]);
    const text = encodeRecords(current).replace(folderCid, fileCid);
    expect(hashOf(decodeRecords(text, 'x'))).toBeNull();
  });

  it('is not entered with a file that has it, and goes when such a file comes', () => {
    expect(hashOf(add(new Map(), 'a', fileCid, fileCid))).toBeNull();
    const records = add(new Map(), 'a', fileCid, otherCid);
    expect(hashOf(records)).toBe(otherCid);
    expect(hashOf(add(records, 'b', otherCid))).toBeNull();
  });

  it('leaves the records as they are when the same file is entered again', () => {
    const records = add(new Map(), 'a', fileCid, fileCid);
    expect(add(records, 'a', fileCid, fileCid)).toBe(records);
  });
});
