import { fact, wallRatio, type Goal } from '../goals.ts';
import type { Measured } from '../measured.ts';
import type { Variant } from '../rounds.ts';
import type { CaseParts } from './cases.ts';
import type { OriginFile } from './origin-order.ts';
import { beginSpread, endSpread, isHalf, order, until, type Spread } from './spread.ts';
import type { LabHost, SwarmLab } from './swarm-lab.ts';

/** 10 Mbit/s. */
export const LINK_BYTES_PER_SECOND = 1_250_000;

export const LED = 'A: all at once';
const OTHERS = 'A: aria2 and opentracker';
const CHURN = 'C: 30 % killed at half-way, late ones join';
const MALICE = 'D: two send wrong bytes, one drips';
const GONE = 'E: the origin ends at one copy';
const SECOND = 'F: second version, 80 % of its leaves the same';

export const EQUAL_GOALS: readonly Goal[] = [
  { id: 'W1', of: LED, what: '× S/U', look: fact('timesBound'), direction: 'at most', hold: 1.25 },
  { id: 'W2', of: LED, what: 'origin copies', look: fact('copies'), direction: 'at most', hold: 1.03 },
  { id: 'W3', of: LED, against: OTHERS, what: '× aria2', look: wallRatio, direction: 'at most', hold: 0.7 },
  { id: 'W4', of: CHURN, what: 'unfinished', look: fact('unfinished'), direction: 'at most', hold: 0 },
  { id: 'W5', of: CHURN, what: 'wasted', look: fact('wasted'), direction: 'at most', hold: 0.03 },
  { id: 'W6', of: MALICE, what: 'wrong files', look: fact('wrong'), direction: 'at most', hold: 0 },
  { id: 'W7', of: MALICE, against: LED, what: '× A', look: wallRatio, direction: 'at most', hold: 1.25 },
  { id: 'W8', of: GONE, what: 'unfinished', look: fact('unfinished'), direction: 'at most', hold: 0 },
  { id: 'W9', of: SECOND, what: 'copies into the site', look: fact('copies'), direction: 'at most', hold: 0.22 },
];

/** Cases by letter, in the order in which they run: the last one kills workers. */
const CASES = { a: LED, f: SECOND, d: MALICE, e: GONE, c: CHURN } as const;

/** Hosts of each case; those that answer wrongly, or join late, belong to one case alone. */
interface Hosts {
  readonly good: readonly string[];
  readonly bad: readonly LabHost[];
  readonly late: readonly string[];
}

const names = (word: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${word}-${index + 1}`);

export function hostsOf({ only, quick }: Pick<CaseParts, 'only' | 'quick'>): Hosts & { readonly all: LabHost[] } {
  const link = { bytesPerSecond: LINK_BYTES_PER_SECOND };
  const good = names('host', quick ? 8 : 20);
  const bad = (['poison', 'poison', 'drip'] as const).map((answers, index) => ({
    ...{ ...link, answers, name: `bad-${index + 1}` },
  }));
  const late = names('late', quick ? 2 : 5);
  const chosen = [...good, ...(only.has('c') ? late : [])].map((name) => ({ name, ...link }));
  return { good, bad, late, all: [...chosen, ...(only.has('d') ? bad : [])] };
}

/** @param others the measurement of other programs on the same network, where they are there */
export function equalVariants(
  parts: CaseParts,
  lab: SwarmLab,
  others: ((file: OriginFile) => Promise<Measured>) | undefined,
): Variant[] {
  const { only, sizeBytes, round, signal } = parts;
  const { good, bad, late } = hostsOf(parts);
  const model = `bench-${round}`;
  const files = new Map<string, OriginFile>();
  const make = async (name: string): Promise<void> => {
    const seed = `swarm-${round}-${name === SECOND ? LED : name}`.replace(/\W+/g, '-');
    const changed = name === SECOND ? { changed: `${seed}-2` } : {};
    files.set(name, await lab.origin.make({ seed, sizeBytes, ...changed }));
  };
  const spreadTo = (name: string, hosts: readonly string[], version?: string) =>
    beginSpread(lab, files.get(name)!, hosts, signal, version === undefined ? undefined : { model, version });
  const end = (spread: Spread, lost?: readonly string[]): Promise<Measured> =>
    endSpread(spread, { bytesPerSecond: LINK_BYTES_PER_SECOND, lost });
  const runs: Record<string, () => Promise<Measured>> = {
    [LED]: async () => end(await spreadTo(LED, good, '1')),
    [SECOND]: async () => end(await spreadTo(SECOND, good, '2')),
    [MALICE]: async () => {
      const hosts = [...good.slice(bad.length), ...bad.map(({ name }) => name)];
      return end(await spreadTo(MALICE, hosts));
    },
    [GONE]: async () => endWithoutOrigin(lab, await spreadTo(GONE, good)),
    [CHURN]: async () => {
      const spread = await spreadTo(CHURN, good);
      await until(spread, isHalf);
      const lost = good.filter((_, index) => index % 10 < 3);
      for (const host of lost) process.kill(lab.processOf(host).pid, 'SIGKILL');
      await order(spread, late);
      return end(spread, lost);
    },
  };
  const variants = Object.entries(CASES)
    .filter(([letter]) => only.has(letter) || letter === 'a')
    .map(([, name]) => ({ name: name as string, prepare: () => make(name), run: runs[name]! }));
  if (others === undefined || !only.has('a')) return variants;
  const [led, ...rest] = variants;
  return [led!, { name: OTHERS, prepare: async () => undefined, run: () => others(files.get(LED)!) }, ...rest];
}

/** Kills the origin as soon as every piece is with some host. @throws Error when no host still fetched then */
async function endWithoutOrigin(lab: SwarmLab, spread: Spread): Promise<Measured> {
  const isOut = async (): Promise<boolean> => {
    const { rarest } = await lab.client.getSwarm(spread.file.cid).catch(() => ({ rarest: [] }));
    return rarest.length > 0 && rarest.every(({ holders }) => holders > 0);
  };
  const before = await until(spread, isOut);
  const sent = await lab.origin.sent();
  await lab.origin.kill();
  if (before.every(({ status }) => status === 'success'))
    throw new Error('all hosts had the file before the origin ended');
  const measured = await endSpread(spread, { bytesPerSecond: LINK_BYTES_PER_SECOND, sent });
  await lab.restartOrigin();
  return measured;
}
