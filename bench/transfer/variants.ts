import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine.ts';
import type { EngineOrder } from '../engine-order.ts';
import { measureCommands, type Command } from '../measure-commands.ts';
import type { Measured } from '../measured.ts';
import type { Variant } from '../rounds.ts';
import type { Lab } from './lab.ts';
import type { OriginFile } from './make-files.ts';

/** Runs programs that write into a folder of their own, which is empty before each run. */
export function programVariant(lab: Lab, name: string, commands: (folder: string) => readonly Command[]): Variant {
  return inFolder(lab, name, (folder) => measureCommands(commands(folder), lab.options.signal));
}

/** Gives an order to an engine that is warm. */
export function engineVariant(lab: Lab, name: string, engine: Engine, order: (folder: string) => EngineOrder): Variant {
  return inFolder(lab, name, (folder) => engine.run(order(folder)));
}

/** The files of a run are removed before the next one begins: the disk holds those of one run at most. */
export function inFolder(lab: Lab, name: string, run: (folder: string) => Promise<Measured>): Variant {
  const folder = lab.target(name.replace(/[^a-z0-9]+/gi, '-'));
  return {
    name,
    prepare: () => mkdir(folder, { recursive: true }).then(() => undefined),
    run: async () => {
      try {
        return await run(folder);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The usual programs for one file. */
export function rivals(lab: Lab, base: string, file: OriginFile): Variant[] {
  const { curl, openssl, wget, aria2c } = lab.programs;
  const url = `${base}/${file.name}`;
  const ca = lab.certificate.certificatePath;
  const curlOne = (folder: string): Command => ({
    program: curl,
    args: ['-sS', '--fail', '--cacert', ca, '-o', `${folder}/file`, url],
  });
  const variants = [
    programVariant(lab, 'curl -o', (folder) => [curlOne(folder)]),
    programVariant(lab, 'curl -o, then openssl dgst', (folder) => [
      curlOne(folder),
      { program: openssl, args: ['dgst', '-sha256', `${folder}/file`] },
    ]),
    programVariant(lab, 'openssl dgst alone (the least that proving costs)', () => [
      { program: openssl, args: ['dgst', '-sha256', join(lab.www, file.name)] },
    ]),
  ];
  if (wget !== undefined) {
    const args = (folder: string) => ['-q', `--ca-certificate=${ca}`, '-O', `${folder}/file`, url];
    variants.push(programVariant(lab, 'wget', (folder) => [{ program: wget, args: args(folder) }]));
  }
  if (aria2c !== undefined) {
    const args = ['-q', '-x16', '-s16', '--file-allocation=none', `--ca-certificate=${ca}`];
    const checksum = `--checksum=sha-256=${file.sha256}`;
    variants.push(
      programVariant(lab, 'aria2c -x16 --checksum', (folder) => [
        { program: aria2c, args: [...args, checksum, '-d', folder, '-o', 'file', url] },
      ]),
    );
  }
  return variants;
}

/** The whole process of the command line. */
export function fetchVariant(lab: Lab, base: string, file: OriginFile): Variant {
  const program = { path: process.execPath, env: {} };
  return programVariant(lab, 'haulier fetch', (folder) => [
    {
      program,
      // Node reads all its certificates at the start when it is given one more.
      env: base.startsWith('https:') ? { NODE_EXTRA_CA_CERTS: lab.certificate.certificatePath } : {},
      args: [lab.cli, 'fetch', `${base}/${file.name}`, '--sha256', file.sha256, '-o', `${folder}/file`, '--json'],
    },
  ]);
}
