import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const INSTALL_MS = 240_000;

/** A folder beside this file with a package.json and a lock file of its own, so that heavy packages stay out of the main one. */
export const interopFolder = (name: string): string => fileURLToPath(new URL(`${name}/`, import.meta.url));

/** Installs what package-lock.json of that folder names, once. @returns why it cannot be had, or undefined */
export async function install(name: string, library: string): Promise<string | undefined> {
  const folder = interopFolder(name);
  const manifest = join(folder, 'node_modules', library, 'package.json');
  try {
    await access(manifest).catch(() =>
      promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: folder,
        timeout: INSTALL_MS,
      }),
    );
    await access(manifest);
    return undefined;
  } catch (error) {
    return `npm ci in test/interop/${name} did not work: ${String(error).split('\n', 1)[0]}`;
  }
}
