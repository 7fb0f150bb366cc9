import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of the package that a module belongs to, wherever the module was compiled to.
 *
 * @throws Error when the program was taken out of its package
 */
export function packageFolder(moduleUrl: string): string {
  for (let folder = dirname(fileURLToPath(moduleUrl)); folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'package.json'))) return folder;
  throw new Error('package.json is missing: install the whole package, not only its dist folder');
}

/** @throws Error when the program was taken out of its package */
export function packageVersion(moduleUrl: string): string {
  const manifest = readFileSync(join(packageFolder(moduleUrl), 'package.json'), 'utf8');
  return String((JSON.parse(manifest) as { readonly version: unknown }).version);
}
