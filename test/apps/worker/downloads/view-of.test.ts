import { describe, expect, it } from '@jest/globals';
import { viewOf } from '../../../../apps/worker/downloads/view-of.ts';
import { aJob } from '../../../helpers/jobs.ts';

describe('viewOf', () => {
  it('tells how many files of the version the host is to have', () => {
    const model = { name: 'sample', type: 'stt', version: '2', fileCount: 3 };
    expect(viewOf(aJob({ model }))).toMatchObject({ model: 'sample', version: '2', versionFileCount: 3 });
  });

  it('names the version by the CID it was published as, not by that of one of its files', () => {
    const model = { name: 'sample', type: 'stt', version: '2', cid: 'bafyfolder' };
    const file = { ...aJob().file, cid: 'bafkreifile' };
    expect(viewOf(aJob({ model, file }))).toMatchObject({ type: 'stt', ipfsHash: 'bafyfolder', sources: file.sources });
    expect(viewOf(aJob({ model: { ...model, cid: undefined }, file }))?.ipfsHash).toBeUndefined();
  });

  it('shows nothing for a file of no model', () => {
    expect(viewOf(aJob())).toBeUndefined();
  });
});
