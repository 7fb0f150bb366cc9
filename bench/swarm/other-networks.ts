import type { Download } from '#contracts/http/downloads';
import { fact, type Goal } from '../goals.ts';
import type { Variant } from '../rounds.ts';
import type { CaseParts } from './cases.ts';
import { LINK_BYTES_PER_SECOND } from './equal-links.ts';
import type { OriginFile } from './origin-order.ts';
import { beginSpread, endSpread } from './spread.ts';
import type { LabPlan, SwarmLab } from './swarm-lab.ts';

export const SITES = 'B: two sites behind a link each';
export const UNLED = 'G: local network, no API';

export const SITES_GOALS: readonly Goal[] = [
  { id: 'W10', of: SITES, what: 'copies into a site', look: fact('siteCopies'), direction: 'at most', hold: 1.05 },
  { id: 'W11', of: SITES, what: '× S/W', look: fact('timesBound'), direction: 'at most', hold: 1.15 },
];
export const UNLED_GOALS: readonly Goal[] = [
  { id: 'W12', of: UNLED, what: 'origin copies', look: fact('copies'), direction: 'at most', hold: 1.3 },
];

const SITE_NAMES = ['north', 'south'];
/** A local network is ten times as fast as the link of its site. */
const LAN_BYTES_PER_SECOND = 10 * LINK_BYTES_PER_SECOND;

const hostsOfSite = (site: string, quick: boolean): string[] =>
  Array.from({ length: quick ? 4 : 10 }, (_, index) => `${site}-${index + 1}`);

export function sitesPlan({ quick }: CaseParts): LabPlan {
  const hosts = SITE_NAMES.flatMap((site) =>
    hostsOfSite(site, quick).map((name) => ({ name, site, bytesPerSecond: LAN_BYTES_PER_SECOND })),
  );
  const sites = SITE_NAMES.map((name) => ({ name, bytesPerSecond: LINK_BYTES_PER_SECOND }));
  const originBytesPerSecond = LAN_BYTES_PER_SECOND;
  return { hosts, sites, originBytesPerSecond, isEnrolled: true, hasNamespaces: true };
}

export function unledPlan({ quick }: CaseParts, hasNamespaces: boolean): LabPlan {
  const bytesPerSecond = LINK_BYTES_PER_SECOND;
  const hosts = Array.from({ length: quick ? 4 : 8 }, (_, index) => ({ name: `lan-${index + 1}`, bytesPerSecond }));
  return { hosts, originBytesPerSecond: bytesPerSecond, isEnrolled: false, hasNamespaces };
}

/** Brings one file to all hosts of the plan. */
export function plainVariant(name: string, plan: LabPlan, parts: CaseParts, lab: SwarmLab): Variant {
  let file: OriginFile;
  const { round, sizeBytes, signal } = parts;
  return {
    name,
    prepare: async () => void (file = await lab.origin.make({ seed: `${name.slice(0, 1)}-${round}`, sizeBytes })),
    run: async () => {
      const hosts = plan.hosts.map((host) => host.name);
      const spread = await beginSpread(lab, file, hosts, signal);
      const { downloads, ...measured } = await endSpread(spread, { bytesPerSecond: LINK_BYTES_PER_SECOND });
      const siteCopies = Math.max(...SITE_NAMES.map((site) => bytesInto(site, plan, lab, downloads) / sizeBytes));
      return { ...measured, facts: { ...measured.facts, siteCopies } };
    },
  };
}

/** Bytes that the hosts of a site took from elsewhere. */
function bytesInto(site: string, { hosts }: LabPlan, { network }: SwarmLab, downloads: readonly Download[]): number {
  const own = hosts.filter((host) => host.site === site).map(({ name }) => name);
  const addresses = own.map((name) => network.addressOf(name));
  return downloads
    .filter(({ host }) => own.includes(host ?? ''))
    .flatMap(({ sources }) => sources)
    .filter(({ source }) => !addresses.some((address) => source.includes(`${address}:`)))
    .reduce((sum, { bytes, wastedBytes }) => sum + bytes + wastedBytes, 0);
}
