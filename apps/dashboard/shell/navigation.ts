import type { IconName } from '../parts/text/icon.tsx';

export interface NavigationPlace {
  readonly to: string;
  readonly label: string;
  readonly icon: IconName;
  /** A page of the API itself, outside of this program. */
  readonly isOutside?: boolean;
}

export const PLACES: readonly NavigationPlace[] = [
  { to: '/', label: 'Overview', icon: 'overview' },
  { to: '/rollouts', label: 'Rollouts', icon: 'rollouts' },
  { to: '/hosts', label: 'Hosts', icon: 'hosts' },
  { to: '/models', label: 'Models', icon: 'models' },
  { to: '/downloads', label: 'Downloads', icon: 'downloads' },
  { to: '/swarms', label: 'Swarms', icon: 'swarms' },
  { to: '/sources', label: 'Sources', icon: 'sources' },
  { to: '/charts', label: 'Metrics', icon: 'metrics' },
  { to: '/admin/queues', label: 'Queues', icon: 'queues', isOutside: true },
  { to: '/audit', label: 'Audit', icon: 'audit' },
  { to: '/settings', label: 'Settings', icon: 'settings' },
];
