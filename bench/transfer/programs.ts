import { findProgram, type Program } from '#embedded/find-program';
import { runCommand } from '#embedded/command';

/** The programs that ours is measured against; the missing ones are left out and named. */
export interface Programs {
  readonly nginx: Program;
  readonly curl: Program;
  readonly openssl: Program;
  readonly aria2c: Program | undefined;
  readonly wget: Program | undefined;
  /** First line of each one's version. */
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
}

const PACKAGES = { nginx: 'nginx', curl: 'curl', openssl: 'openssl', aria2c: 'aria2', wget: 'wget' } as const;
type Name = keyof typeof PACKAGES;

/** Finds the programs on the machine, or unpacks them without root. */
export async function findPrograms(cacheDir: string, say: (line: string) => void): Promise<Programs> {
  const versions: Record<string, string> = {};
  const missing: string[] = [];
  const find = async (name: Name): Promise<Program> => {
    const versionArgs = [name === 'nginx' ? '-v' : name === 'openssl' ? 'version' : '--version'];
    const program = await findProgram(name, { packages: [PACKAGES[name]], cacheDir, versionArgs, onProgress: say });
    versions[name] = await versionOf(program, versionArgs, name);
    return program;
  };
  const findOrMiss = (name: Name): Promise<Program | undefined> =>
    find(name).catch((error: Error) => {
      missing.push(`${name}: ${error.message}`);
      return undefined;
    });
  const [nginx, curl, openssl] = [await find('nginx'), await find('curl'), await find('openssl')];
  const [aria2c, wget] = [await findOrMiss('aria2c'), await findOrMiss('wget')];
  return { nginx, curl, openssl, aria2c, wget, versions, missing };
}

async function versionOf(program: Program, args: readonly string[], name: string): Promise<string> {
  const env = { PATH: '/usr/bin:/bin', ...program.env };
  const text = await runCommand('/bin/sh', ['-c', '"$@" 2>&1', 'sh', program.path, ...args], { env });
  const found = /\d+(\.\d+)+/.exec(text)?.[0] ?? '';
  return `${name} ${found}`;
}
