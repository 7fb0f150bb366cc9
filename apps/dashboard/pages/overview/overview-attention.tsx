import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { HostFacets } from '#contracts/http/hosts';
import type { MetricsHealth } from '#contracts/http/metrics';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { SystemStatus } from '#contracts/http/status';
import { countText, several, When } from '../../parts/text/format.tsx';
import { Icon } from '../../parts/text/icon.tsx';
import { Skeleton } from '../../parts/page.tsx';
import { failedOf, titleOf } from '../../parts/marks/rollout-bits.tsx';
import type { Tone } from '../../parts/marks/state-mark.tsx';

interface Item {
  readonly key: string;
  readonly tone: Tone;
  readonly text: ReactNode;
  readonly to: string;
  readonly verb: string;
}

interface Known {
  readonly rollouts: readonly Rollout[] | undefined;
  readonly status: SystemStatus | undefined;
  readonly health: MetricsHealth | undefined;
  readonly hosts: HostFacets | undefined;
}

/** Notices that tell of bytes that were not what they should be. */
const INTEGRITY = /mismatch|corrupt|quarantine/;
const SHOWN_NOTICES = 3;

/** What an admin should look at, worst first, each with one way to act. */
export function Attention(known: Known) {
  const { rollouts, status, health, hosts } = known;
  const items = itemsOf(known);
  // Only what was asked can be fine.
  if (items.length === 0 && [rollouts, status, health, hosts].includes(undefined)) return <Skeleton lines={3} />;
  if (items.length === 0)
    return (
      <p className="row tone-ok">
        <Icon name="ok" /> Nothing needs attention.
      </p>
    );
  return (
    <ul className="attention">
      {items.map(({ key, tone, text, to, verb }) => (
        <li key={key}>
          <span className={`row tone-${tone}`}>
            <Icon name={tone === 'bad' ? 'bad' : 'warn'} />
          </span>
          <span style={{ flex: 1 }}>{text}</span>
          <Link to={to}>{verb}</Link>
        </li>
      ))}
    </ul>
  );
}

const itemsOf = (known: Known): Item[] => [
  ...brokenParts(known),
  ...failingRollouts(known),
  ...waitingForApproval(known),
  ...layersDown(known),
  ...notices(known),
  ...hostsOf(known),
  ...newerVersions(known),
];

const brokenParts = ({ status }: Known): Item[] =>
  Object.entries(status?.components ?? {})
    .filter(([, part]) => part.status === 'down')
    .map(([name, { message }]) => ({
      key: `part ${name}`,
      tone: 'bad',
      text: `${name} is down: ${message ?? ''}`,
      to: '/settings?tab=about',
      verb: 'Details',
    }));

const waitingForApproval = ({ rollouts = [] }: Known): Item[] =>
  rollouts
    .filter(({ state }) => state === 'awaiting_approval')
    .map((rollout) => ({
      key: `approval ${rollout.id}`,
      tone: 'warn',
      text: `${titleOf(rollout)} waits for approval.`,
      to: `/rollouts/${rollout.id}`,
      verb: 'Decide',
    }));

const failingRollouts = ({ rollouts = [] }: Known): Item[] =>
  rollouts
    .filter((rollout) => failedOf(rollout) > 0 || (rollout.state === 'paused' && rollout.reason !== 'manual'))
    .map((rollout) => ({
      key: rollout.id,
      tone: failedOf(rollout) > 0 ? 'bad' : 'warn',
      text: `${titleOf(rollout)}: ${failedOf(rollout) > 0 ? `${several(failedOf(rollout), 'host')} failed` : rollout.message}`,
      to: `/rollouts/${rollout.id}${failedOf(rollout) > 0 ? '?tab=errors' : ''}`,
      verb: failedOf(rollout) > 0 ? 'See errors' : 'Look',
    }));

const layersDown = ({ health }: Known): Item[] =>
  (health?.layers ?? [])
    .filter(({ status }) => status === 'down' || status === 'degraded')
    .map(({ layer, status, lastError }) => ({
      key: `layer ${layer}`,
      tone: status === 'down' ? 'bad' : 'warn',
      text: `Layer ${layer} is ${status}${lastError === null ? '' : `: ${lastError}`}`,
      to: `/sources`,
      verb: 'See sources',
    }));

const notices = ({ status }: Known): Item[] =>
  (status?.notices ?? [])
    .filter(({ notice }) => INTEGRITY.test(notice))
    .slice(0, SHOWN_NOTICES)
    .map(({ at, host, message, notice }) => ({
      key: `${notice} ${at} ${host}`,
      tone: 'bad',
      text: (
        <>
          {host}: {message} (<When at={at} />)
        </>
      ),
      to: host === null ? '/settings?tab=notices' : `/hosts/${encodeURIComponent(host)}`,
      verb: 'See host',
    }));

function hostsOf({ hosts, status }: Known): Item[] {
  if (hosts === undefined) return [];
  if (hosts.total === 0)
    return [
      {
        key: 'no host',
        tone: 'warn',
        text: 'No worker has reported yet, so there is no host to bring a model to.',
        to: '/hosts',
        verb: 'Add a host',
      },
    ];
  const items: Item[] = [];
  if (hosts.lowDisk > 0)
    items.push({
      key: 'disk',
      tone: 'warn',
      text: `${several(hosts.lowDisk, 'host')} with less than a tenth of the disk free`,
      to: '/hosts?disk=low',
      verb: 'See hosts',
    });
  if (hosts.offline > 0)
    items.push({
      key: 'offline',
      tone: 'warn',
      text: `${several(hosts.offline, 'host')} offline`,
      to: '/hosts?status=offline',
      verb: 'See hosts',
    });
  const others = Object.entries(hosts.versions).filter(
    ([version]) => status !== undefined && version !== status.version,
  );
  const count = others.reduce((sum, [, hostCount]) => sum + hostCount, 0);
  if (status !== undefined && count > 0)
    items.push({
      key: 'versions',
      tone: 'warn',
      text: `${countText(count)} of ${countText(hosts.total)} workers do not run ${status.version} as the API does`,
      to: `/hosts?version=${others.map(([version]) => version).join(',')}`,
      verb: 'See hosts',
    });
  return items;
}

const newerVersions = ({ status }: Known): Item[] =>
  (status?.newerVersions ?? []).map(({ model, current, newer }) => ({
    key: `newer ${model}`,
    tone: 'warn',
    text: `${model} has a newer version: ${newer}${current === null ? '' : ` (current: ${current})`}. Nothing is fetched until you decide.`,
    to: `/models/${encodeURIComponent(model)}`,
    verb: 'Decide',
  }));
