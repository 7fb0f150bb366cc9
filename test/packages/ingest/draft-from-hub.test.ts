import { afterEach, describe, expect, it } from '@jest/globals';
import { draftFromHub, type HubIngestOptions } from '#ingest/draft-from-hub';
import { DEFAULT_BUDGETS } from '#core/policy';
import { gitBlobSha1, sha256Of, someBytes } from '../../helpers/origin/origin-content.ts';
import type { FaultRule } from '../../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin, type OriginOptions } from '../../helpers/origin/origin.ts';
import { quickHttp } from '../sources/collect.ts';

const COMMIT = 'c'.repeat(40);
const FILES = {
  'config.json': Buffer.from('{"a":1}'),
  'onnx/encoder.onnx': someBytes(5000, 'encoder'),
  'onnx/decoder.onnx': someBytes(9000, 'decoder'),
  'tokenizer.json': Buffer.from('{"t":[]}'),
  'empty.txt': Buffer.alloc(0),
};
const REPOS = {
  'org/m': { commit: COMMIT, files: FILES, revisions: { 'v1/a': 'd'.repeat(40) } },
  'org/gated': { commit: COMMIT, files: FILES, gated: true },
  'org/hostile': { commit: COMMIT, files: { 'a.json': Buffer.from('1'), '../evil.json': Buffer.from('2') } },
  'datasets/org/data': { commit: COMMIT, files: { 'tts/a.txt': Buffer.from('a') } },
};
const BUDGET = { ...DEFAULT_BUDGETS.origin, backoffBaseMs: 1, backoffMaxMs: 2 };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: OriginOptions = {}): Promise<{
  origin: Origin;
  ingest: (more?: Partial<HubIngestOptions>) => ReturnType<typeof draftFromHub>;
}> {
  const origin = await startOrigin({ repos: REPOS }, [], options);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  return {
    origin,
    ingest: (more = {}) =>
      draftFromHub({
        ...{ repo: 'org/m', repoType: 'model', revision: 'main', endpoint: origin.url, include: [] },
        ...{ http, signal: new AbortController().signal, budget: BUDGET },
        ...more,
      }),
  };
}

const broken = (path: string, fault: FaultRule['fault'], times = Infinity): OriginOptions => ({
  rules: [{ path, fault, times }],
});

describe('draftFromHub', () => {
  it('VE7 pins the revision to a commit and gives every file a size and a SHA-256, over all pages of the list', async () => {
    const { origin, ingest } = await start({ treePageSize: 2 });
    const draft = await ingest();
    expect(draft.version).toBe(COMMIT);
    expect(draft.sources).toEqual([{ kind: 'huggingface', repo: 'org/m', repoType: 'model', revision: COMMIT }]);
    expect(draft.files).toEqual(
      Object.entries(FILES).map(([path, bytes]) => ({ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) })),
    );
    expect(origin.requests.filter(({ path }) => path.includes('/tree/'))).toHaveLength(3);
  });

  it('reads only the small files, whose SHA-256 the hub does not know, at the commit', async () => {
    const { origin, ingest } = await start();
    await ingest();
    const read = origin.requests.filter(({ path }) => path.includes('/resolve/')).map(({ path }) => path);
    expect(read.sort()).toEqual(
      ['config.json', 'empty.txt', 'tokenizer.json'].map((path) => `/org/m/resolve/${COMMIT}/${path}`),
    );
  });

  it('EX3 refuses a small file that is not the git blob the hub lists', async () => {
    const { ingest } = await start(broken('/config.json', { do: 'flip', atByte: 3 }));
    await expect(ingest()).rejects.toMatchObject({
      kind: 'digest-mismatch',
      message: expect.stringContaining(`its file list has ${gitBlobSha1(FILES['config.json'])}`),
    });
  });

  it('reads a small file again when the connection breaks, and counts its bytes once', async () => {
    const { ingest } = await start(broken('/config.json', { do: 'cut', afterBytes: 4 }, 1));
    const seen: number[] = [];
    const draft = await ingest({ include: ['config.json'], onProgress: ({ doneBytes }) => seen.push(doneBytes) });
    expect(draft.files[0]!.sha256).toBe(sha256Of(FILES['config.json']));
    expect(seen.at(-1)).toBe(FILES['config.json'].length);
  });

  it('asks a hub that is busy again, and gives up by its budget', async () => {
    const { origin, ingest } = await start(broken('/revision/', { do: 'status', status: 503 }, 2));
    await ingest({ include: ['empty.txt'] });
    expect(origin.requests.filter(({ path }) => path.includes('/revision/'))).toHaveLength(3);

    const never = await start(broken('/revision/', { do: 'status', status: 503 }));
    await expect(never.ingest()).rejects.toMatchObject({ kind: 'throttled' });
    expect(never.origin.requests).toHaveLength(BUDGET.triesPerSource);
  });

  it('takes only files that match, and refuses a selection without files', async () => {
    const { ingest } = await start();
    expect((await ingest({ include: ['onnx/*'] })).files.map(({ path }) => path)).toEqual([
      'onnx/encoder.onnx',
      'onnx/decoder.onnx',
    ]);
    await expect(ingest({ include: ['*.gguf', 'x/'] })).rejects.toThrow(
      'org/m@main has no file that matches "*.gguf" or "x/"',
    );
  });

  it('lists a data set', async () => {
    const { ingest } = await start();
    const draft = await ingest({ repo: 'org/data', repoType: 'dataset' });
    expect(draft.files.map(({ path }) => path)).toEqual(['tts/a.txt']);
    expect(draft.sources).toMatchObject([{ repoType: 'dataset' }]);
  });

  it('explains a repository that is gated, missing or private, and a revision that is not there', async () => {
    const { ingest } = await start();
    await expect(ingest({ repo: 'org/gated' })).rejects.toThrow('gated: accept its terms on the hub and set HF_TOKEN');
    await expect(ingest({ repo: 'org/none' })).rejects.toThrow(
      'no such repository, or it is private and needs HF_TOKEN',
    );
    await expect(ingest({ revision: 'v9' })).rejects.toThrow('no such revision');
  });

  it('K01 K02 refuses a path that would leave its folder, unless it is not asked for', async () => {
    const { ingest } = await start();
    await expect(ingest({ repo: 'org/hostile' })).rejects.toThrow(
      'lists "../evil.json", a path that has the segment ".."',
    );
    expect((await ingest({ repo: 'org/hostile', include: ['a.*'] })).files).toHaveLength(1);
  });

  it('stops when it is told to', async () => {
    const { ingest } = await start(broken('/revision/', { do: 'hang' }));
    const stop = new AbortController();
    const ended = ingest({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(ended).rejects.toThrow('enough');
  });
});
