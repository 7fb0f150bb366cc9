import { peakMib, wallRatio, type Goal } from '../goals.ts';
import { measureCommands, type Command } from '../measure-commands.ts';
import type { Measured } from '../measured.ts';
import type { Lab } from '../transfer/lab.ts';
import { FILE, REPO, type OpenServeCase, type ServeBench, type ServeCase } from './serve-case.ts';
import { costOf, startServe } from './served-process.ts';

const NGINX = 'nginx, sendfile';
const OURS = 'haulier serve';

const wallVsNginx = (id: string, hold: number): Goal => ({
  ...{ id, of: OURS, against: NGINX, what: 'wall vs nginx', look: wallRatio, direction: 'at most', hold },
});
const PEAK: Goal = { id: 'S3', of: OURS, what: 'peak MiB', look: peakMib, direction: 'at most', hold: 150 };

/** curl takes files that are in memory: one client a large one, and many a smaller one each. */
export const SEND_CASES: readonly ServeCase[] = [
  sendCase({ name: 'one', clients: 1, mib: 2048, quickMib: 256, goals: [wallVsNginx('S1', 1.3), PEAK] }),
  // As much as nginx sends in 1 / 0.8 of its time.
  sendCase({ name: 'many', clients: 64, mib: 128, quickMib: 16, goals: [wallVsNginx('S2', 1.25), PEAK] }),
];

function sendCase({
  clients,
  ...facts
}: Pick<ServeCase, 'name' | 'mib' | 'quickMib' | 'goals'> & { readonly clients: number }): ServeCase {
  return {
    ...facts,
    title: `each of ${clients} at once, warm, over loopback`,
    note: 'wall is that of curl; CPU and memory are curl’s at nginx, and the server’s at ours',
    open: (bench) => openSendCase(bench, clients),
  };
}

async function openSendCase({ lab, mib, home, signal }: ServeBench, clients: number): Promise<OpenServeCase> {
  const served = await startServe(lab, home);
  const take = (url: string): Promise<Measured> => measureCommands([curlOf(lab, url, clients)], signal);
  const prepare = async (): Promise<void> => undefined;
  const url = `${served.url}/${REPO}/resolve/main/${FILE}`;
  return {
    variants: [
      { name: NGINX, prepare, run: () => take(`${lab.origin.plainUrl}/${mib}.bin`) },
      { name: OURS, prepare, run: () => costOf(served.pid, () => take(url)) },
    ],
    stop: () => served.stop(),
  };
}

const curlOf = ({ programs }: Lab, url: string, clients: number): Command => ({
  program: programs.curl,
  args:
    clients === 1
      ? ['-sS', '-f', '-o', '/dev/null', url]
      : [
          ...['-sS', '-f', '-Z', '--parallel-immediate', '--parallel-max', `${clients}`, '-o', '/dev/null'],
          `${url}?[1-${clients}]`,
        ],
});
