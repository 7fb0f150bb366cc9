import { cpuRatio, peakMib, wallRatio, type Goal } from '../goals.ts';
import type { BenchCase } from './bench-case.ts';
import { engineVariant, fetchVariant, rivals } from './variants.ts';

interface OneFile {
  readonly name: string;
  readonly how: string;
  readonly mib: number;
  readonly quickMib: number;
  readonly tls?: boolean;
  readonly isExtra?: boolean;
  readonly goals: readonly Goal[];
}

const ENGINE = 'engine';
const CURL = 'curl -o';
const ARIA = 'aria2c -x16 --checksum';

const atMost = (
  id: string,
  what: string,
  look: Goal['look'],
  hold: number,
  stretch: number,
  against?: string,
): Goal => ({
  ...{ id, of: ENGINE, against, what, look, direction: 'at most', hold, stretch },
});

const memory = atMost('T6', 'peak', peakMib, 133, 133);
const cpu = atMost('T5', 'CPU vs curl', cpuRatio, 1.5, 1.3, CURL);
const aria = atMost('T4', 'wall vs aria2c', wallRatio, 0.33, 0.25, ARIA);

const CASES: readonly OneFile[] = [
  {
    ...{ name: '64mb', how: 'plain', mib: 64, quickMib: 64 },
    goals: [memory, { ...atMost('fetch', 'wall vs curl', wallRatio, 2.5, 2.5, CURL), of: 'haulier fetch' }],
  },
  {
    ...{ name: '512mb', how: 'plain', mib: 512, quickMib: 512 },
    goals: [atMost('T2', 'wall vs curl', wallRatio, 1.1, 0.9, CURL), cpu, aria, memory],
  },
  {
    ...{ name: '2gb', how: 'plain', mib: 2048, quickMib: 1024 },
    goals: [atMost('T1', 'wall vs curl', wallRatio, 1, 0.85, CURL), cpu, aria, memory],
  },
  { ...{ name: '10gb', how: 'plain', mib: 10_240, quickMib: 10_240, isExtra: true }, goals: [memory] },
  {
    ...{ name: 'tls', how: 'TLS', mib: 512, quickMib: 256, tls: true },
    goals: [atMost('T3', 'wall vs curl', wallRatio, 1.5, 1.2, CURL), aria, memory],
  },
];

/** One file from one origin: ours, verified, against the usual programs. */
export const oneFileCases: readonly BenchCase[] = CASES.map(({ name, how, mib, quickMib, tls, isExtra, goals }) => ({
  name,
  isExtra,
  title: (quick) => `${quick ? quickMib : mib} MiB, ${how}`,
  goals,
  async prepare(lab) {
    const file = await lab.file(lab.options.quick ? quickMib : mib);
    const base = tls ? lab.origin.tlsUrl : lab.origin.plainUrl;
    const { sizeBytes, sha256 } = file;
    const engine = await lab.engine();
    const order = (folder: string) => ({
      files: [{ target: `${folder}/file`, sizeBytes, sha256, urls: [`${base}/${file.name}`] }],
    });
    return {
      variants: [
        ...rivals(lab, base, file),
        engineVariant(lab, ENGINE, engine, order),
        engineVariant(lab, 'engine, synced', engine, (folder) => ({ ...order(folder), syncs: true })),
        fetchVariant(lab, base, file),
      ],
      writtenBytes: sizeBytes,
      notes: lab.programs.missing,
    };
  },
}));
