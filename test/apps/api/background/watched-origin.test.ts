import { describe, expect, it } from '@jest/globals';
import { Manifest, type ManifestInput } from '#contracts/manifest';
import { watchedOrigin } from '../../../../apps/api/background/watched-origin.ts';

const COMMIT = 'a'.repeat(40);
const hub = (revision: string, repo = 'acme/sample') => ({ kind: 'huggingface', repo, revision }) as const;
const watched = (more: Partial<ManifestInput>) =>
  watchedOrigin(
    Manifest.parse({ name: 'm', version: '1', files: [{ path: 'a.bin', sha256: 'ab'.repeat(32) }], ...more }),
  );

describe('where newer versions appear', () => {
  it('is main of the first hub source that is pinned to a commit', () => {
    expect(watched({ sources: [hub('main', 'acme/moving'), hub(COMMIT), hub('b'.repeat(40))] })).toEqual({
      huggingface: { repo: 'acme/sample', repoType: undefined, revision: 'main', commit: COMMIT },
      ipfs: undefined,
    });
  });

  it('is found at the sources of a file too', () => {
    const files = [{ path: 'a.bin', sha256: 'ab'.repeat(32), sources: [hub(COMMIT)] }];
    expect(watched({ files })?.huggingface?.commit).toBe(COMMIT);
  });

  it('is the branch that the manifest names', () => {
    const watch = { huggingface: { revision: 'stable' } };
    expect(watched({ sources: [hub(COMMIT)], watch })?.huggingface?.revision).toBe('stable');
  });

  it('is the name on IPNS that the manifest gives, beside its CID', () => {
    expect(watched({ cid: 'bafyx', watch: { ipns: 'models.example.org' } })).toEqual({
      huggingface: undefined,
      ipfs: { name: 'models.example.org', cid: 'bafyx' },
    });
  });

  it('is nowhere for a manifest that follows a branch or has no hub', () => {
    expect(watched({ sources: [hub('main')] })).toBeUndefined();
    expect(watched({})).toBeUndefined();
  });
});
