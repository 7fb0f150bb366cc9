import { Navigate, useSearchParams } from 'react-router';
import { nextPage } from '../data/session/next-page.ts';

/** Where the sign-in page leads to: a page of ours alone, because the address may come from elsewhere. */
export function Signed() {
  const [query] = useSearchParams();
  const next = nextPage(query.get('next'), globalThis.location.origin);
  if (next === undefined) return <Navigate to="/" replace />;
  // The board of the queues is a page of the API, not of this program.
  if (next.startsWith('/admin/')) globalThis.location.replace(next);
  return next.startsWith('/admin/') ? null : <Navigate to={next} replace />;
}
