import type { DagProfile } from '#content/dag/dag-builder';
import { cpuSeconds } from '../goals.ts';
import type { BenchCase } from './bench-case.ts';
import { serveByCid } from './make-files.ts';
import { engineVariant, programVariant } from './variants.ts';

const CASES: readonly { name: string; title: string; profile: DagProfile }[] = [
  { name: 'cid-raw', title: '512 MiB by CID, raw leaves of 1 MiB', profile: 'unixfs-v1-2025' },
  { name: 'cid-v0', title: '512 MiB by CID, version 0, dag-pb leaves of 256 KiB', profile: 'unixfs-v0-2015' },
];

/** A file by its CID alone: the leaf table from inner blocks, then plain bytes proven leaf by leaf. */
export const byCidCases: readonly BenchCase[] = CASES.map(({ name, title, profile }) => ({
  name,
  title: () => title,
  goals: [
    {
      ...{ id: 'T7', of: 'engine, by CID', what: 'CPU-s per 512 MiB', look: cpuSeconds },
      ...{ direction: 'at most', hold: 0.9, stretch: 0.75 },
    },
  ],
  async prepare(lab) {
    const file = await lab.file(512);
    const cid = await serveByCid(lab.www, file, profile);
    const base = lab.origin.plainUrl;
    const engine = await lab.engine();
    const { curl } = lab.programs;
    return {
      variants: [
        programVariant(lab, 'curl -o (proves nothing)', (folder) => [
          { program: curl, args: ['-sS', '--fail', '-o', `${folder}/file`, `${base}/ipfs/${cid}`] },
        ]),
        engineVariant(lab, 'engine, by CID', engine, (folder) => ({
          files: [{ target: `${folder}/file`, cid, urls: [] }],
          gateways: [base],
        })),
      ],
      writtenBytes: file.sizeBytes,
      notes: [
        `@helia/verified-fetch: not measured, it needs a newer Node than ${process.versions.node} or is not installed`,
      ],
    };
  },
}));
