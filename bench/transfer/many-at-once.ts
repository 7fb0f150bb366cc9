import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peakMib, wallRatio, type Goal } from '../goals.ts';
import type { Engine } from '../engine.ts';
import type { BenchCase } from './bench-case.ts';
import { inFolder, programVariant } from './variants.ts';

const FILES = 64;
const AT_ONCE = [1, 4, 16, 64] as const;
const nameOf = (atOnce: number): string => `engine, ${atOnce} at once`;

const memoryGoal = (atOnce: number): Goal => ({
  ...{ id: 'T6', of: nameOf(atOnce), what: 'peak', look: peakMib },
  ...{ direction: 'at most', hold: 130 + 3 * atOnce },
});

/** The same 64 files, more and more of them at once: the speed must not fall, and memory must stay bounded. */
export const manyAtOnceCase: BenchCase = {
  name: 'at-once',
  title: (quick) => `${FILES} files of ${quick ? 8 : 32} MiB`,
  mostRounds: 5,
  goals: [
    ...AT_ONCE.map(memoryGoal),
    {
      ...{ id: 'T11', of: nameOf(1), against: nameOf(16), what: 'speed of 16 at once vs one', look: wallRatio },
      ...{ direction: 'at least', hold: 0.9, stretch: 1 },
    },
  ],
  async prepare(lab) {
    const file = await lab.file(lab.options.quick ? 8 : 32);
    const { sizeBytes, sha256 } = file;
    const url = `${lab.origin.plainUrl}/${file.name}`;
    const numbers = Array.from({ length: FILES }, (_, index) => index);
    const list = join(lab.folder, 'many-curl');
    await writeFile(list, numbers.map((index) => `url = "${url}"\noutput = "${index}"\n`).join(''));
    const ours = (atOnce: number) =>
      inFolder(lab, nameOf(atOnce), async (folder) => {
        const engine: Engine = await lab.engine();
        try {
          return await engine.run({
            atOnce,
            files: numbers.map((index) => ({ target: `${folder}/${index}`, sizeBytes, sha256, urls: [url] })),
          });
        } finally {
          await engine.stop();
        }
      });
    const curl = programVariant(lab, 'curl --parallel, 16 at once', (folder) => [
      { program: lab.programs.curl, cwd: folder, args: ['-sS', '-Z', '--parallel-max', '16', '-K', list] },
    ]);
    return { variants: [curl, ...AT_ONCE.map(ours)], writtenBytes: FILES * sizeBytes };
  },
};
