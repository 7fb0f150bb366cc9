import { z } from 'zod';
import { clashReason, pathIndex, unsafePathReason } from '#core/text/safe-path';
import { ManifestFile, Revision, SourceInput, refuseSharedMirrors } from './file-spec.ts';

export const ModelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'a model name is 1 to 100 of a-z 0-9 . _ -, such as "whisper-base"')
  .refine(
    (name) => unsafePathReason(name) === undefined,
    'a model name is a folder on every host: it does not end in a dot, and is no name that Windows reserves, such as "con"',
  );

export const ModelVersion = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/,
    'a version is 1 to 100 of letters, digits, . _ + -, such as "1.2.0" or a commit',
  );

const MAX_FILES = 10_000;

/** One immutable version of a model. The dag-json form on IPFS has the same shape. */
export const Manifest = z
  .strictObject({
    schema: z.literal('haulier.manifest/v1').default('haulier.manifest/v1'),
    name: ModelName,
    /** What the model is for; free, such as `stt`, `tts`, `llm`. */
    type: z.string().min(1).max(60).default('model'),
    version: ModelVersion,
    files: z.array(ManifestFile).min(1, 'a manifest has at least one file').max(MAX_FILES),
    /** Sources of every file; a hub's path is the file's path. */
    sources: z.array(SourceInput).max(16).optional(),
    /**
     * Where newer versions appear. Where it is left out, `main` of the first hub source that is pinned to a commit is
     * watched.
     */
    watch: z
      .strictObject({
        /** Branch or tag of the first hub source. */
        huggingface: z.strictObject({ revision: Revision.default('main') }).optional(),
        /** A name that can move, such as a key or a domain; compared with `cid`. */
        ipns: z
          .string()
          .max(300)
          .regex(/^[A-Za-z0-9._-]+$/, 'an IPNS name is a key or a domain, such as "k51qzi…" or "models.example.org"')
          .optional(),
      })
      .optional(),
    /** The IPFS folder or dag-json block this version was published as. */
    cid: z.string().max(300).optional(),
  })
  .superRefine((manifest, context) => {
    const seen = pathIndex();
    manifest.files.forEach((file, index) => {
      const earlier = seen.clashOf(file.path);
      if (earlier !== undefined)
        context.addIssue({
          ...{ code: 'custom', path: ['files', index, 'path'] },
          message: clashReason(file.path, earlier),
        });
      seen.add(file.path);
    });
  });

/** A manifest as it is published; what was published before stays readable. */
export const NewManifest = Manifest.superRefine(refuseSharedMirrors);

export type Manifest = z.infer<typeof Manifest>;
export type ManifestInput = z.input<typeof Manifest>;
