import { unsafePathReason } from '#core/text/safe-path';

/** A name of an archive as a path. */
export interface TarName {
  /** As the archive has it; what is not UTF-8 is shown by Latin-1. */
  readonly shown: string;
  /** Relative, without `.`, `..` and doubled slashes; empty for the folder of the archive itself. */
  readonly path: string;
  /** Why nothing is taken under this name: it leads out, or no system could keep it. */
  readonly problem: string | undefined;
  readonly isFolder: boolean;
}

/** Reads a name: `.` segments and doubled slashes mean nothing, a slash at the end means a folder. */
export function readTarName(bytes: Uint8Array): TarName {
  const decoded = decode(bytes);
  const shown = decoded ?? Buffer.from(bytes).toString('latin1');
  const segments = shown.split('/').filter((segment) => segment !== '' && segment !== '.');
  const path = resolve(segments).join('/');
  const isFolder = segments.length === 0 || /\/\.?$/.test(shown);
  return { shown, path, isFolder, problem: problemOf(decoded, segments, path) };
}

function problemOf(name: string | undefined, segments: readonly string[], path: string): string | undefined {
  if (name === undefined) return 'has a name that is not UTF-8';
  if (name.startsWith('/')) return 'is absolute';
  if (segments.includes('..')) return 'has the segment ".."';
  return path === '' ? undefined : unsafePathReason(path);
}

function resolve(segments: readonly string[]): string[] {
  const kept: string[] = [];
  for (const segment of segments)
    if (segment === '..') kept.pop();
    else kept.push(segment);
  return kept;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
