import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The version in the package that a module belongs to, wherever it was compiled to.
 *
 * @throws Error when the program was taken out of its package
 */
export function programVersion(moduleUrl: string): string {
  for (let folder = dirname(fileURLToPath(moduleUrl)); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest))
      return String((JSON.parse(readFileSync(manifest, 'utf8')) as { version: unknown }).version);
  }
  throw new Error('package.json is missing: install the whole package, not only its dist folder');
}
