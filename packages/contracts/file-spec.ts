import { z } from 'zod';
import { HUB_REPO_TYPES, badHubPathReason, badRepoReason, badRevisionReason } from '#core/text/hub-name';
import { SECRET_NAME, SECRET_NAME_RULE } from '#core/settings/source-secrets';
import { credentialIn } from '#core/text/url-credential';
import { FilePath } from './file-path.ts';

const hex = (length: number, name: string) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${length}}$`), `${name} is ${length} hexadecimal digits`)
    .toLowerCase();

export const Sha256 = hex(64, 'sha256');

/** Digests other than SHA-256 that a hub may give. */
const OtherDigests = z.strictObject({
  sha512: hex(128, 'sha512').optional(),
  sha1: hex(40, 'sha1').optional(),
  md5: hex(32, 'md5').optional(),
  git: hex(40, 'git').optional(),
});

/** The longest CID that is parsed at all; identity CIDs of 128 bytes fit. */
export const Cid = z
  .string()
  .min(2)
  .max(300)
  .regex(/^[A-Za-z0-9+/=_-]+$/, 'a CID is letters and digits, such as bafybei…');

const MAX_FILE_BYTES = 2 ** 50;

export const SizeBytes = z
  .number()
  .int('a size is a whole number of bytes')
  .min(0, 'a size is 0 or more')
  .max(MAX_FILE_BYTES, 'a size is at most 1 PiB');

/** As a job carries it: jobs of earlier versions may hold a query that is refused today. */
const StoredMirrorUrl = z.url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' }).max(1000);

const MirrorUrl = StoredMirrorUrl.superRefine((url, context) => {
  if (!URL.canParse(url)) return; // the check above says what is wrong
  const found = credentialIn(new URL(url));
  if (found !== undefined)
    context.addIssue({
      code: 'custom',
      message: `${found} is a credential, and a URL here is stored and shown: leave it out, give the workers a secret for ${new URL(url).origin} (HAULIER_SECRETS), and name it as secretRef`,
    });
});

const SecretRef = z
  .string()
  .regex(SECRET_NAME, SECRET_NAME_RULE)
  .optional()
  .describe('name of a secret that workers hold for the origin of the URL (HAULIER_SECRETS)');

/** A repository of a hub: `owner/name`, or a single name, as the oldest repositories have. */
export const Repo = z.string().superRefine(refusing('a repository is "owner/name"', badRepoReason));
/** A branch, tag or commit. */
export const Revision = z.string().superRefine(refusing('a revision is a branch, tag or commit', badRevisionReason));
/** Path of a file in a repository: of more names than a host may have. */
const HubPath = z.string().max(1024).superRefine(refusing('a path in a repository is "folder/file"', badHubPathReason));

function refusing(rule: string, reasonOf: (text: string) => string | undefined) {
  return (text: string, context: z.RefinementCtx): void => {
    const reason = reasonOf(text);
    if (reason !== undefined)
      context.addIssue({ code: 'custom', message: `${rule}; ${JSON.stringify(text)} ${reason}` });
  };
}

/** Where a file may come from; a path left out is the file's own. */
export const SourceInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('huggingface'),
    repo: Repo,
    repoType: z.enum(HUB_REPO_TYPES).optional(),
    revision: Revision.default('main'),
    path: HubPath.optional(),
  }),
  z.strictObject({ kind: z.literal('mirror'), url: MirrorUrl, secretRef: SecretRef }),
]);

export type SourceInput = z.infer<typeof SourceInput>;

/** Reports mirrors among the sources of several files: the URL of a mirror is that of one file. */
export function refuseSharedMirrors(
  { sources = [] }: { readonly sources?: readonly SourceInput[] | undefined },
  context: z.RefinementCtx,
): void {
  sources.forEach(({ kind }, index) => {
    if (kind === 'mirror')
      context.addIssue({
        ...{ code: 'custom', path: ['sources', index] },
        message: 'a mirror is the URL of one file: name it in the `sources` of that file',
      });
  });
}

export const NO_PROOF =
  "nothing proves this file: give sha256 (run `sha256sum FILE`, or copy it from the hub's file page) or its cid (`ipfs add --only-hash FILE`); " +
  'or set allowUnverified to true, and it is labelled unverified everywhere';

const MAX_SOURCES_PER_FILE = 16;

/** Steps after the bytes of a file are proven. */
const AfterVerification = {
  /** What the file's own header must show; guessed from the name where it is left out. */
  format: z.enum(['onnx', 'safetensors', 'gguf', 'gzip', 'zstd', 'tar', 'zip']).optional(),
  /** Decompression: `path` is what is fetched and proven, `unpack.files` is what appears beside it, proven as well. */
  unpack: z
    .strictObject({
      as: z.enum(['gzip', 'zstd', 'tar', 'tar.gz', 'tar.zst']),
      files: z
        .array(z.strictObject({ path: FilePath, sizeBytes: SizeBytes, sha256: Sha256 }))
        .min(1)
        .max(100, 'at most 100 files are unpacked from one archive'),
    })
    .optional(),
};

/** One file of a manifest: identity, proof, sources. */
export const ManifestFile = z
  .strictObject({
    path: FilePath,
    sizeBytes: SizeBytes.optional(),
    minBytes: SizeBytes.optional(),
    sha256: Sha256.optional(),
    cid: Cid.optional(),
    digests: OtherDigests.optional(),
    allowUnverified: z.boolean().optional(),
    sources: z.array(SourceInput).max(MAX_SOURCES_PER_FILE).optional(),
    ...AfterVerification,
  })
  .superRefine((file, context) => {
    const proofs = [file.sha256, file.cid, ...Object.values(file.digests ?? {})];
    if (proofs.every((proof) => proof === undefined) && file.allowUnverified !== true)
      context.addIssue({ code: 'custom', path: ['sha256'], message: NO_PROOF });
    if (file.sizeBytes !== undefined && file.minBytes !== undefined && file.minBytes > file.sizeBytes)
      context.addIssue({
        code: 'custom',
        path: ['minBytes'],
        message: `minBytes ${file.minBytes} is more than sizeBytes ${file.sizeBytes}`,
      });
  });

export type ManifestFile = z.infer<typeof ManifestFile>;

/** The same file as a job carries it: sources complete, digests in one place. Matches `FileSpec` of core. */
export const JobFile = z.strictObject({
  path: FilePath,
  sizeBytes: SizeBytes.optional(),
  minBytes: SizeBytes.optional(),
  digests: OtherDigests.extend({ sha256: Sha256.optional() }),
  cid: Cid.optional(),
  allowUnverified: z.boolean().optional(),
  ...AfterVerification,
  sources: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({
          kind: z.literal('huggingface'),
          repo: Repo,
          repoType: z.enum(HUB_REPO_TYPES).optional(),
          revision: Revision,
          path: HubPath,
        }),
        z.strictObject({ kind: z.literal('mirror'), url: StoredMirrorUrl, secretRef: SecretRef }),
      ]),
    )
    .max(MAX_SOURCES_PER_FILE),
});

export type JobFile = z.infer<typeof JobFile>;

/** Resolves a manifest's file: manifest-wide sources follow the file's own, and left-out paths are the file's. */
export function toJobFile(file: ManifestFile, manifestSources: readonly SourceInput[] = []): JobFile {
  const sources = [...(file.sources ?? []), ...manifestSources.filter((source) => source.kind === 'huggingface')];
  return {
    path: file.path,
    sizeBytes: file.sizeBytes,
    minBytes: file.minBytes,
    digests: { ...file.digests, ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }) },
    cid: file.cid,
    allowUnverified: file.allowUnverified,
    format: file.format,
    unpack: file.unpack,
    sources: sources.map((source) =>
      source.kind === 'mirror' ? source : { ...source, path: source.path ?? file.path },
    ),
  };
}
