import { MIB } from '#core/units';
import { fact } from '../goals.ts';
import type { EngineOrder } from '../engine-order.ts';
import type { BenchCase } from './bench-case.ts';
import type { Lab } from './lab.ts';
import { serveByCid } from './make-files.ts';
import { inFolder } from './variants.ts';

const SHARE = 0.9;

const goalsOf = (of: string): BenchCase['goals'] => [
  {
    ...{ id: 'T10', of, what: 'MiB fetched again', look: fact('againMib') },
    ...{ direction: 'at most', hold: 64, stretch: 16 },
  },
  {
    ...{ id: 'T10', of, what: 'ms to the first new byte', look: fact('firstByteMs') },
    direction: 'at most',
    hold: 1000,
  },
];

const BY_DIGEST = 'engine, resumed, by sha256';
const BY_CID = 'engine, resumed, by CID';

/** SIGKILL when nine tenths have arrived, then the same order given to a new engine; what is measured is the second. */
export const resumedCase: BenchCase = {
  name: 'resume',
  title: (quick) => `the last tenth of ${quick ? 512 : 2048} MiB after SIGKILL`,
  goals: [...goalsOf(BY_DIGEST), ...goalsOf(BY_CID)],
  async prepare(lab) {
    const file = await lab.file(lab.options.quick ? 512 : 2048);
    const { sizeBytes, sha256 } = file;
    const base = lab.origin.plainUrl;
    const cid = await serveByCid(lab.www, file, 'unixfs-v1-2025');
    return {
      writtenBytes: sizeBytes,
      variants: [
        killedVariant(lab, BY_DIGEST, sizeBytes, (target) => ({
          files: [{ target, sizeBytes, sha256, urls: [`${base}/${file.name}`] }],
        })),
        killedVariant(lab, BY_CID, sizeBytes, (target) => ({ files: [{ target, cid, urls: [] }], gateways: [base] })),
      ],
    };
  },
};

function killedVariant(lab: Lab, name: string, sizeBytes: number, order: (target: string) => EngineOrder) {
  return inFolder(lab, name, async (folder) => {
    const diesAtBytes = Math.round(sizeBytes * SHARE);
    const first = await lab.engine();
    await first.runToDeath({ ...order(`${folder}/file`), diesAtBytes });
    const second = await lab.engine();
    try {
      const measured = await second.run(order(`${folder}/file`));
      const againMib = Math.max(0, diesAtBytes - measured.facts.resumedBytes) / MIB;
      return { ...measured, facts: { ...measured.facts, againMib } };
    } finally {
      await second.stop();
    }
  });
}
