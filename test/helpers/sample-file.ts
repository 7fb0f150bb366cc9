import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { ManifestInput } from '#contracts/manifest';
import { generatedContent, sha256Of, type GeneratedContent } from './origin/origin-content.ts';

export interface SampleFile {
  readonly path: string;
  readonly content: GeneratedContent;
  readonly sha256: string;
}

export const sampleFile = (path: string, sizeBytes: number, seed = path): SampleFile => {
  const content = generatedContent(sizeBytes, seed);
  return { path, content, sha256: sha256Of(content) };
};

/** A manifest whose files come from the hub of the fake origin: `acme/sample` at revision `main`. */
export const sampleManifest = (name: string, files: readonly SampleFile[], version = '1'): ManifestInput => ({
  name,
  version,
  files: files.map(({ path, content, sha256 }) => ({ path, sizeBytes: content.size, sha256 })),
  sources: [{ kind: 'huggingface', repo: 'acme/sample', revision: 'main' }],
});

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
