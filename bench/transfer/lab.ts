import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIB } from '#core/units';
import { Engine } from '../engine.ts';
import { makeCertificate, type Certificate } from './certificate.ts';
import { makeFile, type OriginFile } from './make-files.ts';
import { startOrigin, type BenchOrigin } from './origin.ts';
import { findPrograms, type Programs } from './programs.ts';

export interface LabOptions {
  readonly quick: boolean;
  /** Undefined: the system's temporary folder. */
  readonly dir: string | undefined;
  readonly profile: string | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The origin, the programs and the folder that all cases share. */
export interface Lab {
  readonly options: LabOptions;
  readonly folder: string;
  readonly www: string;
  readonly programs: Programs;
  readonly origin: BenchOrigin;
  readonly certificate: Certificate;
  /** Where programs of other projects are kept between runs. */
  readonly cacheDir: string;
  /** The built command line. */
  readonly cli: string;
  /** A file of this many MiB; made at the first call. */
  file(mib: number): Promise<OriginFile>;
  /** Where a variant puts its file. */
  target(name: string): string;
  /** A new engine; `stop` of the lab stops it at the latest. */
  engine(): Promise<Engine>;
  /** Ends the engines of a case. */
  stopEngines(): Promise<void>;
  /** Ends everything and removes every file. Safe twice. */
  stop(): Promise<void>;
}

export async function openLab(options: LabOptions): Promise<Lab> {
  const { say } = options;
  const project = fileURLToPath(new URL('../../..', import.meta.url));
  const cacheDir = join(project, '.cache');
  const programs = await findPrograms(cacheDir, say);
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  const www = join(folder, 'www');
  const files = new Map<number, Promise<OriginFile>>();
  const engines: Engine[] = [];
  const stopEngines = async (): Promise<void> => {
    for (const engine of engines.splice(0)) await engine.stop();
  };
  try {
    for (const path of [www, join(folder, 'targets')]) await mkdir(path);
    const certificate = await makeCertificate(programs.openssl, folder);
    const origin = await startOrigin(programs.nginx, folder, certificate);
    return {
      options,
      folder,
      www,
      programs,
      origin,
      certificate,
      cacheDir,
      cli: join(project, 'dist/bundles/cli/main.js'),
      file: (mib) => {
        const made = files.get(mib) ?? (say(`making a file of ${mib} MiB`), makeFile(www, `${mib}.bin`, mib * MIB));
        files.set(mib, made);
        return made;
      },
      target: (name) => join(folder, 'targets', name),
      engine: async () => {
        const engine = await Engine.start({ BENCH_CA: certificate.ca }, options.profile);
        engines.push(engine);
        return engine;
      },
      stopEngines,
      stop: async () => {
        await stopEngines();
        await origin.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
