import { describe, expect, it } from '@jest/globals';
import { CreateDownloadsBody, ListDownloadsQuery } from '#contracts/http/downloads';
import { JobFile, toJobFile } from '#contracts/file-spec';
import { Manifest, NewManifest, type ManifestInput } from '#contracts/manifest';

const SHA256 = 'ab'.repeat(32);
const file = (path = 'model.onnx', more: object = {}) => ({ path, sizeBytes: 1, sha256: SHA256, ...more });
const manifest = (more: object = {}): unknown => ({ name: 'sample', version: '1', files: [file()], ...more });

/** The mistakes as `where: what`. */
function mistakesIn(value: unknown, schema: { safeParse: typeof Manifest.safeParse } = Manifest): string[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
}

describe('a manifest', () => {
  it('K10 folds a digest in upper case', () => {
    const parsed = Manifest.parse(manifest({ files: [file('a', { sha256: SHA256.toUpperCase() })] }));
    expect(parsed.files[0]!.sha256).toBe(SHA256);
  });

  it('K10 refuses a mirror for several files when it is published, and stays readable where it was before', () => {
    const shared = manifest({ sources: [{ kind: 'mirror', url: 'https://mirror.example/model.onnx' }] });
    const refused = ['sources.0: a mirror is the URL of one file: name it in the `sources` of that file'];
    expect(mistakesIn(shared, NewManifest)).toEqual(refused);
    expect(mistakesIn(shared)).toEqual([]);
    const { files, sources } = shared as { files: unknown; sources: unknown };
    expect(CreateDownloadsBody.safeParse({ files, sources }).error?.issues[0]?.path).toEqual(['sources', 0]);
  });

  it.each([
    ['short', SHA256.slice(1)],
    ['long', `${SHA256}a`],
    ['not hexadecimal', `${SHA256.slice(1)}g`],
    ['empty', ''],
    ['with a prefix', `sha256:${SHA256}`],
  ])('K10 refuses a digest that is %s', (_what, sha256) => {
    expect(mistakesIn(manifest({ files: [file('a', { sha256 })] }))).toEqual([
      'files.0.sha256: sha256 is 64 hexadecimal digits',
    ]);
  });

  it.each(['con', 'aux.onnx', 'a.', 'lpt1'])('K08 refuses the model name %s, which is no folder everywhere', (name) => {
    expect(mistakesIn(manifest({ name }))).toEqual([expect.stringContaining('name: a model name is a folder')]);
  });

  it.each(['console', 'a.b', 'com10', 'nul-model'])('K08 takes the model name %s', (name) => {
    expect(mistakesIn(manifest({ name }))).toEqual([]);
  });

  it('K11 takes a file of zero bytes', () => {
    expect(mistakesIn(manifest({ files: [file('empty', { sizeBytes: 0 })] }))).toEqual([]);
  });

  it.each([
    ['negative', -1, 'a size is 0 or more'],
    ['a fraction', 1.5, 'a size is a whole number of bytes'],
    ['2^60', 2 ** 60, 'a size is a whole number of bytes'],
    ['more than 1 PiB', 2 ** 50 + 1, 'a size is at most 1 PiB'],
  ])('K11 refuses a size that is %s', (_what, sizeBytes, message) => {
    expect(mistakesIn(manifest({ files: [file('a', { sizeBytes })] })).join()).toContain(
      `files.0.sizeBytes: ${message}`,
    );
  });

  it('K11 refuses a least size above the size', () => {
    expect(mistakesIn(manifest({ files: [file('a', { minBytes: 2 })] }))).toEqual([
      'files.0.minBytes: minBytes 2 is more than sizeBytes 1',
    ]);
  });

  it('K12 takes ten thousand files and refuses one more', () => {
    const files = Array.from({ length: 10_001 }, (_, n) => file(`part-${n}`));
    expect(mistakesIn(manifest({ files: files.slice(1) }))).toEqual([]);
    expect(mistakesIn(manifest({ files }))).toEqual([expect.stringMatching(/^files: .*10000/)]);
    expect(mistakesIn(manifest({ files: [] }))).toEqual(['files: a manifest has at least one file']);
  });

  it('K12 refuses more than a thousand files described in one request', () => {
    const files = Array.from({ length: 1001 }, (_, n) => file(`part-${n}`));
    expect(mistakesIn({ files }, CreateDownloadsBody as never)).toEqual([expect.stringMatching(/^files: .*1000/)]);
  });

  it('K14 refuses a schema it does not know, by name', () => {
    const [mistake] = mistakesIn(manifest({ schema: 'haulier.manifest/v9' }));
    expect(mistake).toMatch(/^schema: .*haulier\.manifest\/v1/);
  });

  it.each(['refs/pr/1', 'release 1', 'a#b?c'])('K19 takes the revision %p as it is', (revision) => {
    const sources: ManifestInput['sources'] = [{ kind: 'huggingface', repo: 'acme/sample', revision }];
    expect(Manifest.parse(manifest({ sources })).sources).toEqual(sources);
  });

  it.each(['https://user:hunter2@mirror.example/f', 'http://user@mirror.example/f'])('K20 refuses %p', (url) => {
    const mistakes = mistakesIn(manifest({ files: [file('a', { sources: [{ kind: 'mirror', url }] })] }));
    expect(mistakes).toEqual([expect.stringContaining('a user name or password is a credential')]);
    expect(mistakes.join()).not.toContain('hunter2');
  });

  it('T09 refuses a query with a credential by its parameter, and names the way to keep it on the worker', () => {
    const url = 'https://mirror.example/f?X-Amz-Signature=s3cr3t&X-Amz-Expires=9';
    const mistakes = mistakesIn(manifest({ files: [file('a', { sources: [{ kind: 'mirror', url }] })] }));
    expect(mistakes).toEqual([
      'files.0.sources.0.url: the query parameter "X-Amz-Signature" is a credential, and a URL here is stored and shown: leave it out, ' +
        'give the workers a secret for https://mirror.example (HAULIER_SECRETS), and name it as secretRef',
    ]);
  });

  it('T09 takes the name of a secret, and refuses what is no name', () => {
    const withRef = (secretRef: string) => [{ kind: 'mirror' as const, url: 'https://mirror.example/f', secretRef }];
    expect(Manifest.parse(manifest({ sources: withRef('mirror-eu') })).sources).toEqual(withRef('mirror-eu'));
    expect(mistakesIn(manifest({ sources: withRef('Bearer x') }))).toEqual([
      expect.stringContaining('such as "mirror-eu"'),
    ]);
  });

  it('T09 carries the name of a secret in a job, and still reads a job of an earlier version with a token in its URL', () => {
    const old = { path: 'a', digests: {}, sources: [{ kind: 'mirror', url: 'https://mirror.example/f?token=x' }] };
    expect(JobFile.safeParse(old).success).toBe(true);
    const named = toJobFile(
      file('a', { sources: [{ kind: 'mirror', url: 'https://m.example/f', secretRef: 's' }] }) as never,
    );
    expect(JobFile.parse(named).sources).toEqual([{ kind: 'mirror', url: 'https://m.example/f', secretRef: 's' }]);
  });

  it.each(['ftp://mirror.example/f', 'file:///etc/passwd', 'javascript:alert(1)', 'mirror.example/f'])(
    'K20 refuses the source %p, which is not HTTP',
    (url) => {
      const mistakes = mistakesIn(manifest({ files: [file('a', { sources: [{ kind: 'mirror', url }] })] }));
      expect(mistakes).toEqual(['files.0.sources.0.url: write an http:// or https:// URL']);
    },
  );
});

describe('a page', () => {
  const mistakesOf = (query: object): string[] => mistakesIn(query, ListDownloadsQuery as never);

  it.each(['1', '500', 500])('K21 may have %p items', (limit) => {
    expect(mistakesOf({ limit })).toEqual([]);
  });

  it.each(['0', '501', '1e9', '-1', '1.5', 'all', ''])('K21 may not have %p items', (limit) => {
    expect(mistakesOf({ limit })).toEqual([expect.stringMatching(/^limit: a limit is/)]);
  });

  it.each(['x'.repeat(201), 'a b', '../x', ''])('K21 refuses the cursor %p', (cursor) => {
    expect(mistakesOf({ cursor })).not.toEqual([]);
  });
});
