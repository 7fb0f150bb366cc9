import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files that ship beside the program, wherever it was compiled to. */
export interface ProjectFiles {
  readonly version: string;
  readonly migrations: string;
}

/** @throws Error when the program was taken out of its package */
export function findProjectFiles(from: string): ProjectFiles {
  for (let folder = dirname(fileURLToPath(from)); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    const migrations = join(folder, 'prisma', 'migrations');
    if (existsSync(manifest) && existsSync(migrations))
      return {
        migrations,
        version: String((JSON.parse(readFileSync(manifest, 'utf8')) as { version: unknown }).version),
      };
  }
  throw new Error('prisma/migrations is missing: install the whole package, not only its dist folder');
}
