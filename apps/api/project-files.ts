import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder, packageVersion } from '#os/package-folder';

/** Files that ship beside the program, wherever it was compiled to. */
export interface ProjectFiles {
  readonly version: string;
  readonly migrations: string;
  /** Folder of the built pages; undefined where only the API was built. */
  readonly dashboard: string | undefined;
}

/**
 * @param from URL of a module of the program
 * @throws Error when the program was taken out of its package
 */
export function findProjectFiles(from: string): ProjectFiles {
  const migrations = join(packageFolder(from), 'prisma', 'migrations');
  if (!existsSync(migrations))
    throw new Error(`${migrations} is missing: install the whole package, not only its dist folder`);
  const dashboard = join(packageFolder(from), 'dist', 'dashboard');
  return {
    migrations,
    version: packageVersion(from),
    dashboard: existsSync(join(dashboard, 'index.html')) ? dashboard : undefined,
  };
}
