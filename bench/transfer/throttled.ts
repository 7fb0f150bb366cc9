import { cpuRatio, fact } from '../goals.ts';
import type { BenchCase } from './bench-case.ts';
import { engineVariant, programVariant } from './variants.ts';

const LIMIT = 50e6;

/** A limit of 50 MB/s: how exact it is over ten seconds, and what it costs. */
export const throttledCase: BenchCase = {
  name: 'throttle',
  title: (quick) => `${quick ? 128 : 512} MiB at 50 MB/s`,
  goals: [
    {
      ...{ id: 'T12', of: 'engine, limited', what: 'error of the rate', look: fact('error') },
      ...{ direction: 'at most', hold: 0.05, stretch: 0.02 },
    },
    {
      ...{ id: 'T12', of: 'engine, limited', against: 'engine, not limited', what: 'CPU per byte', look: cpuRatio },
      ...{ direction: 'at most', hold: 1.2 },
    },
  ],
  async prepare(lab) {
    const file = await lab.file(lab.options.quick ? 128 : 512);
    const { sizeBytes, sha256 } = file;
    const engine = await lab.engine();
    const url = `${lab.origin.plainUrl}/${file.name}`;
    const order = (folder: string) => ({ files: [{ target: `${folder}/file`, sizeBytes, sha256, urls: [url] }] });
    const limited = engineVariant(lab, 'engine, limited', engine, (folder) => ({
      ...order(folder),
      limitBytesPerSecond: LIMIT,
    }));
    return {
      writtenBytes: sizeBytes,
      variants: [
        programVariant(lab, 'curl --limit-rate', (folder) => [
          { program: lab.programs.curl, args: ['-sS', '--limit-rate', `${LIMIT}`, '-o', `${folder}/file`, url] },
        ]),
        engineVariant(lab, 'engine, not limited', engine, order),
        {
          ...limited,
          run: async () => {
            const measured = await limited.run();
            const error = Math.abs(sizeBytes / (measured.wallMs / 1000) / LIMIT - 1);
            return { ...measured, facts: { ...measured.facts, error } };
          },
        },
      ],
    };
  },
};
