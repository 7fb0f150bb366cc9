import { toJobFile } from '#contracts/file-spec';
import { Manifest } from '#contracts/manifest';
import { parseKnown } from '#contracts/worker/parse-known';
import { unsafePathReason } from '#core/text/safe-path';

/** A model as the manifest of a bundle describes it; unproven. */
export interface BundledModel {
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  /** By path; each has its SHA-256 and its size. */
  readonly files: readonly BundledFile[];
}

export type BundledFile = Omit<ReturnType<typeof toJobFile>, 'sizeBytes'> & {
  readonly sha256: string;
  readonly sizeBytes: number;
};

/** Digest and length of a content of the bundle. */
export interface BundledContent {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ReadManifests {
  readonly models: readonly BundledModel[];
  /** One sentence for each manifest that this host would not publish, and why. */
  readonly problems: readonly string[];
}

/** Most reasons that are listed for one manifest. */
const MOST_REASONS = 10;

/**
 * Reads the manifests of a bundle by the rules of publishing. Fields of a newer program are ignored.
 *
 * @param contents of the bundle; they give the sizes that a manifest leaves out
 */
export function readManifests(manifests: readonly unknown[], contents: Iterable<BundledContent>): ReadManifests {
  const sizes = new Map([...contents].map(({ sha256, sizeBytes }) => [sha256, sizeBytes]));
  const models = new Map<string, BundledModel>();
  const problems: string[] = [];
  for (const [index, value] of manifests.entries()) {
    const read = readManifest(value, sizes);
    if ('reasons' in read) {
      problems.push(...firstOf(read.reasons).map((reason) => `${titleOf(value, index)}: ${reason}`));
      continue;
    }
    const key = `${read.name}@${read.version}`;
    const earlier = models.get(key);
    if (earlier === undefined) models.set(key, read);
    else if (!isSame(earlier, read)) problems.push(`${key} is in the bundle twice, with other files`);
  }
  return { models: [...models.values()], problems };
}

/** Tells whether both have the same content under each path; their sources may differ. */
export function isSame(a: BundledModel, b: BundledModel): boolean {
  const others = new Map(b.files.map(({ path, sha256 }) => [path, sha256]));
  return a.files.length === b.files.length && a.files.every(({ path, sha256 }) => others.get(path) === sha256);
}

function readManifest(
  value: unknown,
  sizes: ReadonlyMap<string, number>,
): BundledModel | { readonly reasons: readonly string[] } {
  const { parsed } = parseKnown(Manifest, value);
  if (!parsed.success)
    return { reasons: parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'manifest'}: ${message}`) };
  const manifest = parsed.data;
  const { name, version } = manifest;
  const unsafe = unsafePathReason(name);
  const reasons = unsafe === undefined ? [] : [`the name ${unsafe}`];
  const files: BundledFile[] = [];
  for (const file of manifest.files.map((each) => toJobFile(each, manifest.sources))) {
    const { sha256 } = file.digests;
    const sizeBytes = file.sizeBytes ?? sizes.get(sha256 ?? '');
    const held = sizes.get(sha256 ?? '');
    if (sha256 === undefined)
      reasons.push(`${JSON.stringify(file.path)} has no sha256, and a bundle names its contents by sha256`);
    else if (held !== undefined && held !== sizeBytes)
      reasons.push(`${JSON.stringify(file.path)} has ${sizeBytes} bytes in the manifest, and its content has ${held}`);
    else files.push({ ...file, sha256, sizeBytes: sizeBytes ?? 0 });
  }
  return reasons.length > 0 ? { reasons } : { name, version, manifest, files };
}

const firstOf = (reasons: readonly string[]): readonly string[] =>
  reasons.length <= MOST_REASONS
    ? reasons
    : [...reasons.slice(0, MOST_REASONS), `and ${reasons.length - MOST_REASONS} more`];

function titleOf(value: unknown, index: number): string {
  const { name, version } = (value ?? {}) as { name?: unknown; version?: unknown };
  if (typeof name !== 'string' || typeof version !== 'string') return `manifest ${index + 1}`;
  return JSON.stringify(`${name}@${version}`.slice(0, 100));
}
