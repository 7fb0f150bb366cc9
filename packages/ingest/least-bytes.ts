import { VerifyError } from '#core/failure';
import type { Draft } from './draft.ts';
import { pathFilter } from './path-filter.ts';

/**
 * Holds what is expected of a model against what was found: each glob must match, and each file it matches must be long enough.
 *
 * @param minBytes least length in bytes by glob
 * @throws VerifyError that names the file or glob
 */
export function refuseShortFiles({ files }: Draft, minBytes: Readonly<Record<string, number>>): void {
  for (const [glob, least] of Object.entries(minBytes)) {
    const matches = pathFilter([glob]);
    const found = files.filter(({ path }) => matches(path));
    if (found.length === 0) throw new VerifyError('unsupported', `no file matches "${glob}", which must be there`);
    const short = found.find(({ sizeBytes }) => sizeBytes < least);
    if (short !== undefined)
      throw new VerifyError(
        'wrong-format',
        `"${short.path}" has ${short.sizeBytes} bytes and must have at least ${least}: this is not the file that was meant`,
      );
  }
}
