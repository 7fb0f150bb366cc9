import { describe, expect, it } from '@jest/globals';
import { downloadJob } from '#contracts/worker/download-job';
import { parseKnown } from '#contracts/worker/parse-known';

const job = {
  version: 1,
  downloadId: '7b3f6d0e-52a4-4f0f-9d6c-1d2f3a4b5c6d',
  generation: 1,
  attemptsUsed: 0,
  file: {
    path: 'a.bin',
    digests: { sha256: 'a'.repeat(64) },
    sources: [{ kind: 'mirror', url: 'https://mirror.example/a.bin' }],
    unpack: { as: 'tar', files: [{ path: 'b', sizeBytes: 1, sha256: 'b'.repeat(64) }] },
  },
  model: { name: 'm', type: 'stt', version: '1' },
};
/** The same job as a later release would write it. */
const later = {
  ...job,
  urgency: 5,
  file: {
    ...job.file,
    license: 'mit',
    digests: { ...job.file.digests, blake3: 'c' },
    sources: [{ ...job.file.sources[0]!, weight: 2 }],
    unpack: { ...job.file.unpack, strip: 1 },
  },
  model: { ...job.model, family: 'x' },
};

describe('a message of a later release', () => {
  it('is read without the fields that are not known, wherever they stand, and is left as it is', () => {
    const copy = structuredClone(later);
    const { parsed, ignored } = parseKnown(downloadJob.payload, later);
    expect(parsed.data).toEqual(job);
    expect([...ignored].sort()).toEqual([
      'file.digests.blake3',
      'file.license',
      'file.sources.0.weight',
      'file.unpack.strip',
      'model.family',
      'urgency',
    ]);
    expect(later).toEqual(copy);
  });

  it('is refused when something that is known is wrong, or its version is another one', () => {
    const refusal = (value: unknown) => parseKnown(downloadJob.payload, value).parsed.error?.issues[0]?.path;
    expect(refusal({ ...later, version: 2 })).toEqual(['version']);
    expect(refusal({ ...later, generation: 0 })).toEqual(['generation']);
    expect(refusal('text')).toEqual([]);
  });

  it('is read whatever its fields are called', () => {
    const odd = JSON.parse(`{"__proto__": {"a": 1}, "constructor": 2, ${JSON.stringify(job).slice(1)}`) as unknown;
    expect(parseKnown(downloadJob.payload, odd).parsed.data).toEqual(job);
  });

  it('of this release loses nothing', () => {
    expect(parseKnown(downloadJob.payload, job)).toMatchObject({ parsed: { data: job }, ignored: [] });
  });
});
