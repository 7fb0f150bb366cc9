import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB } from '#core/units';
import { cpuRatio, wallRatio } from '../goals.ts';
import { measureCommands, type Command } from '../measure-commands.ts';
import type { Variant } from '../rounds.ts';
import type { Lab } from '../transfer/lab.ts';
import { startOlah } from './olah.ts';
import { pythonPrograms, type PythonPrograms } from './python-programs.ts';
import { FILE, REPO, type OpenServeCase, type ServeBench, type ServeCase } from './serve-case.ts';
import { costOf, startServe, type ServedProcess } from './served-process.ts';

const OURS = 'haulier serve --allow';
const OLAH = 'olah';
const DIRECT = 'the hub itself';
/** What the hub of the cold case gives each client: a good line of a site. */
const LINE_BYTES_PER_SECOND = 100 * MIB;

const SIZES = { mib: 1024, quickMib: 128, note: 'wall is that of hf download; CPU and memory are the server’s' };

/** `hf download` of a repository through a mirror of a hub. The hub is a served store too. */
export const HUB_CASES: readonly ServeCase[] = [
  {
    ...{ name: 'hub-warm', ...SIZES, title: 'hf download from a mirror that has it', open: openWarm },
    goals: [
      { id: 'S4', of: OURS, against: OLAH, what: 'wall vs olah', look: wallRatio, direction: 'at most', hold: 0.5 },
      { id: 'S5', of: OURS, against: OLAH, what: 'CPU vs olah', look: cpuRatio, direction: 'at most', hold: 0.5 },
    ],
  },
  {
    ...{ name: 'hub-cold', ...SIZES, open: openCold },
    title: `hf download from a mirror that has nothing yet, of a hub at ${LINE_BYTES_PER_SECOND / MIB} MiB/s`,
    goals: [
      {
        id: 'S6',
        of: OURS,
        against: DIRECT,
        what: 'wall vs direct',
        look: wallRatio,
        direction: 'at most',
        hold: 1.25,
      },
    ],
  },
];

async function openWarm(bench: ServeBench): Promise<OpenServeCase> {
  const programs = await pythonPrograms(bench.lab.cacheDir, bench.say);
  const hub = await startServe(bench.lab, bench.home);
  const folder = join(bench.lab.folder, 'olah');
  const olah = await startOlah(programs.olah, { folder, hubUrl: hub.url }).catch(async (error: unknown) => {
    await hub.stop();
    throw error;
  });
  const ours = await startMirror(bench.lab, hub.url);
  const variants = [variantOf(bench, programs, OLAH, () => olah), variantOf(bench, programs, OURS, () => ours)];
  return { variants, stop: () => stopAll([ours, olah, hub]) };
}

async function openCold(bench: ServeBench): Promise<OpenServeCase> {
  const programs = await pythonPrograms(bench.lab.cacheDir, bench.say);
  const env = { HAULIER_SERVE_CLIENT_RATE: `${LINE_BYTES_PER_SECOND}` };
  const hub = await startServe(bench.lab, bench.home, { env });
  let mirror: ServedProcess | undefined;
  const renew = async (): Promise<void> => {
    await mirror?.stop();
    mirror = await startMirror(bench.lab, hub.url);
  };
  const variants = [
    variantOf(bench, programs, DIRECT, () => hub),
    variantOf(bench, programs, OURS, () => mirror!, renew),
  ];
  return { variants, stop: () => stopAll([mirror, hub]) };
}

async function stopAll(servers: readonly (ServedProcess | undefined)[]): Promise<void> {
  for (const server of servers) await server?.stop();
}

/** A mirror with an empty store. */
async function startMirror(lab: Lab, hubUrl: string): Promise<ServedProcess> {
  const home = join(lab.folder, 'mirror');
  await rm(home, { recursive: true, force: true });
  return startServe(lab, home, { args: ['--allow', 'bench/*'], env: { HF_ENDPOINT: hubUrl } });
}

/** @param renew before each run, not measured */
function variantOf(
  { lab, mib, signal }: ServeBench,
  programs: PythonPrograms,
  name: string,
  server: () => ServedProcess,
  renew?: () => Promise<void>,
): Variant {
  const target = lab.target('hf');
  return {
    name,
    async prepare() {
      await rm(target, { recursive: true, force: true });
      await renew?.();
    },
    async run() {
      const { pid, url } = server();
      const download = hfDownload(programs, { url, target, home: lab.folder });
      const cost = await costOf(pid, () => measureCommands([download], signal));
      const { size } = await stat(join(target, FILE));
      if (size !== mib * MIB) throw new Error(`hf download made a file of ${size} bytes`);
      return cost;
    },
  };
}

interface HfDownload {
  readonly url: string;
  readonly target: string;
  readonly home: string;
}

const hfDownload = ({ hf }: PythonPrograms, { url, target, home }: HfDownload): Command => ({
  program: hf,
  args: ['download', REPO, '--local-dir', target],
  env: {
    ...{ HOME: home, HF_HOME: join(home, 'hf-home'), HF_ENDPOINT: url },
    ...{ HF_HUB_DISABLE_PROGRESS_BARS: '1', HF_HUB_DISABLE_TELEMETRY: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1' },
  },
});
