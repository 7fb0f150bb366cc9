import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wallRatio } from '../goals.ts';
import type { BenchCase } from './bench-case.ts';
import { makeSmallFiles } from './make-files.ts';
import { programVariant } from './variants.ts';

const COUNT = 200;
const FILE_BYTES = 1_000_000;
const AT_ONCE = 16;
const ARIA = 'aria2c -i -j16 with checksums';
const OURS = 'haulier fetch --input-file';

/** Files of a list by whole programs, start included, each proven by its SHA-256. */
export const listedFilesCase: BenchCase = {
  name: 'listed',
  title: () => `${COUNT} files of 1 MB by one list, with SHA-256`,
  goals: [
    {
      ...{ id: 'T13', of: OURS, against: ARIA, what: 'wall vs aria2c', look: wallRatio },
      ...{ direction: 'at most', hold: 0.6 },
    },
  ],
  async prepare(lab) {
    const files = await makeSmallFiles(lab.www, 'listed', COUNT, FILE_BYTES);
    const { aria2c } = lab.programs;
    const list = join(lab.folder, 'listed');
    const entries = files.map(
      ({ name, sha256 }) =>
        `${lab.origin.plainUrl}/${name}\n  out=${name.replace('/', '-')}\n  checksum=sha-256=${sha256}\n`,
    );
    await writeFile(list, entries.join(''));
    const node = { path: process.execPath, env: {} };
    const variants = [
      programVariant(lab, OURS, (folder) => [
        { program: node, args: [lab.cli, 'fetch', '-i', list, '-o', folder, '--json', '--progress', 'none'] },
      ]),
    ];
    if (aria2c !== undefined)
      variants.unshift(
        programVariant(lab, ARIA, (folder) => [
          { program: aria2c, args: ['-q', `-j${AT_ONCE}`, '--file-allocation=none', '-i', list, '-d', folder] },
        ]),
      );
    return { variants, writtenBytes: COUNT * FILE_BYTES, notes: lab.programs.missing };
  },
};
