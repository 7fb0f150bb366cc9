import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wallRatio } from '../goals.ts';
import type { BenchCase } from './bench-case.ts';
import { makeSmallFiles } from './make-files.ts';
import { engineVariant, programVariant } from './variants.ts';

const COUNT = 5000;
const QUICK_COUNT = 1000;
const AT_ONCE = 16;
const ARIA = 'aria2c -i -j16';

/** Many small files: the cost of a file beside its bytes. */
export const smallFilesCase: BenchCase = {
  name: 'small',
  title: (quick) => `${quick ? QUICK_COUNT : COUNT} files of 1 kB, ${AT_ONCE} at once`,
  goals: [
    {
      ...{ id: 'T9', of: 'engine', against: ARIA, what: 'wall vs aria2c', look: wallRatio },
      ...{ direction: 'at most', hold: 1, stretch: 0.7 },
    },
  ],
  async prepare(lab) {
    const files = await makeSmallFiles(lab.www, 'small', lab.options.quick ? QUICK_COUNT : COUNT, 1000);
    const { curl, aria2c, wget } = lab.programs;
    const base = lab.origin.plainUrl;
    const urls = files.map(({ name }) => `${base}/${name}`);
    const list = join(lab.folder, 'small-urls');
    const curlList = join(lab.folder, 'small-curl');
    await writeFile(list, `${urls.join('\n')}\n`);
    await writeFile(curlList, urls.map((url) => `url = "${url}"\nremote-name\n`).join(''));
    const engine = await lab.engine();
    const order = (folder: string) => ({
      atOnce: AT_ONCE,
      files: files.map(({ name, sizeBytes, sha256 }) => ({
        ...{ target: `${folder}/${name.replace('/', '-')}`, sizeBytes, sha256, urls: [`${base}/${name}`] },
      })),
    });
    const variants = [
      programVariant(lab, 'curl --parallel', (folder) => [
        { program: curl, cwd: folder, args: ['-sS', '-Z', '--parallel-max', `${AT_ONCE}`, '-K', curlList] },
      ]),
      engineVariant(lab, 'engine', engine, order),
      engineVariant(lab, 'engine, synced', engine, (folder) => ({ ...order(folder), syncs: true })),
    ];
    if (aria2c !== undefined)
      variants.push(
        programVariant(lab, ARIA, (folder) => [
          { program: aria2c, args: ['-q', `-j${AT_ONCE}`, '--file-allocation=none', '-i', list, '-d', folder] },
        ]),
      );
    if (wget !== undefined)
      variants.push(
        programVariant(lab, 'wget -i', (folder) => [{ program: wget, args: ['-q', '-i', list, '-P', folder] }]),
      );
    return { variants, writtenBytes: files.length * 1000, notes: lab.programs.missing };
  },
};
