import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, type ComponentType } from 'react';
import { createBrowserRouter, RouterProvider } from 'react-router';
import { queryClient } from './data/query-client.ts';
import { Overview } from './pages/overview/overview.tsx';
import { Frame } from './shell/frame.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Signed } from './shell/signed.tsx';
import { PageProblem } from './shell/page-problem.tsx';

/** Pages other than the first are loaded when they are opened. */
function page<Name extends string>(load: () => Promise<Record<Name, ComponentType>>, name: Name) {
  const Page = lazy(async (): Promise<{ default: ComponentType }> => ({ default: (await load())[name] }));
  return <Page />;
}

const router = createBrowserRouter([
  {
    element: <Frame />,
    errorElement: <PageProblem />,
    children: [
      { index: true, element: <Overview /> },
      { path: 'rollouts', element: page(() => import('./pages/rollouts/rollouts.tsx'), 'Rollouts') },
      { path: 'rollouts/new', element: page(() => import('./pages/rollouts/new-rollout.tsx'), 'NewRollout') },
      { path: 'rollouts/:id', element: page(() => import('./pages/rollouts/rollout-detail.tsx'), 'RolloutDetail') },
      { path: 'hosts', element: page(() => import('./pages/hosts/hosts.tsx'), 'Hosts') },
      { path: 'hosts/:name', element: page(() => import('./pages/hosts/host-detail.tsx'), 'HostPage') },
      { path: 'models', element: page(() => import('./pages/models/models.tsx'), 'Models') },
      { path: 'models/:name', element: page(() => import('./pages/models/model-detail.tsx'), 'ModelPage') },
      { path: 'downloads', element: page(() => import('./pages/downloads/downloads.tsx'), 'Downloads') },
      { path: 'downloads/:id', element: page(() => import('./pages/downloads/download-detail.tsx'), 'DownloadPage') },
      { path: 'bulk-actions/:id', element: page(() => import('./pages/downloads/bulk-action.tsx'), 'BulkActionPage') },
      { path: 'swarms', element: page(() => import('./pages/swarms/swarms.tsx'), 'Swarms') },
      { path: 'swarms/:cid', element: page(() => import('./pages/swarms/swarm-detail.tsx'), 'SwarmPage') },
      { path: 'sources', element: page(() => import('./pages/sources/sources.tsx'), 'Sources') },
      { path: 'charts', element: page(() => import('./pages/metrics.tsx'), 'Metrics') },
      { path: 'audit', element: page(() => import('./pages/audit.tsx'), 'Audit') },
      { path: 'settings', element: page(() => import('./pages/settings/settings.tsx'), 'Settings') },
      { path: 'login', element: <Signed /> },
      { path: '*', element: <NotFound /> },
    ],
  },
]);

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
}
