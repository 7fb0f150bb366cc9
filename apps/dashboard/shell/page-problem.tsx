import { useRouteError } from 'react-router';
import { ProblemBox } from '../parts/problem.tsx';

/** A page that broke, or whose code could not be loaded because a newer version was installed meanwhile. */
export function PageProblem() {
  const error = useRouteError();
  return (
    <main className="gate">
      <h1>This page broke</h1>
      <ProblemBox error={error} retry={() => globalThis.location.reload()} />
    </main>
  );
}
