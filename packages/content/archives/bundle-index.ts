import { VerifyError } from '#core/failure';
import { unsafePathReason } from '#core/text/safe-path';

/** The first entry of every bundle. */
export const BUNDLE_INDEX_NAME = 'haulier-bundle.json';
export const BUNDLE_SCHEMA = 'haulier.bundle/v1';
/** A longer index is not read. */
export const MAX_BUNDLE_INDEX_BYTES = 64 * 1024 * 1024;

/** One content of a bundle. Its entry is named by content, so models share it and no name of a model can harm. */
export interface BundleMember {
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid?: string | undefined;
}

/** What a bundle says it has. Nothing of it is trusted: every member is proven by its digest when it is read. */
export interface BundleIndex {
  readonly schema: typeof BUNDLE_SCHEMA;
  /** Manifests as `haulier bundle create` was given them. */
  readonly manifests: readonly unknown[];
  readonly members: readonly BundleMember[];
}

export const bundleMemberName = (sha256: string): string => `blobs/sha256/${sha256}`;

/** JSON with sorted keys: the same bundle is the same bytes. */
export function encodeBundleIndex(index: BundleIndex): string {
  return `${JSON.stringify(sorted(index), undefined, 1)}\n`;
}

/** @returns the value itself where its keys are in order already: an index has tens of thousands of objects */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const item of value) if (sorted(item) !== item) return value.map(sorted);
    return value;
  }
  const found = value as Record<string, unknown>;
  const keys = Object.keys(found);
  if (keys.every((key, index) => (index === 0 || keys[index - 1]! < key) && sorted(found[key]) === found[key]))
    return value;
  return Object.fromEntries(keys.sort().map((key) => [key, sorted(found[key])]));
}

/** @throws VerifyError `wrong-format` that says what is wrong; `unsupported` for the schema of a newer program */
export function decodeBundleIndex(bytes: Uint8Array): BundleIndex {
  const value = parseJson(bytes) as Partial<BundleIndex> | null;
  if (value?.schema !== BUNDLE_SCHEMA)
    throw new VerifyError(
      'unsupported',
      `the bundle has schema ${JSON.stringify(value?.schema)}; this program reads ${BUNDLE_SCHEMA}`,
    );
  if (!Array.isArray(value.manifests) || !Array.isArray(value.members)) throw refused('has no manifests or no members');
  const names = new Set<string>();
  for (const member of value.members as unknown[]) {
    const problem = memberProblem(member, names);
    if (problem !== undefined) throw refused(`has a member ${JSON.stringify(member)?.slice(0, 200)} ${problem}`);
  }
  return value as BundleIndex;
}

const refused = (reason: string): VerifyError => new VerifyError('wrong-format', `the bundle's index ${reason}`);

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw refused('is not JSON');
  }
}

function memberProblem(value: unknown, names: Set<string>): string | undefined {
  const member = value as Partial<BundleMember> | null;
  if (typeof member?.name !== 'string') return 'without a name';
  const unsafe = unsafePathReason(member.name);
  if (unsafe !== undefined) return `whose name ${unsafe}`;
  if (names.has(member.name)) return 'that is listed twice';
  names.add(member.name);
  if (!/^[0-9a-f]{64}$/.test(String(member.sha256))) return 'whose sha256 is not 64 hexadecimal digits';
  if (!Number.isSafeInteger(member.sizeBytes) || member.sizeBytes! < 0) return 'without a valid sizeBytes';
  return member.cid === undefined || typeof member.cid === 'string' ? undefined : 'whose cid is not a text';
}
