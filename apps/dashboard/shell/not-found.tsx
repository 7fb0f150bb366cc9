import { Link } from 'react-router';
import { PageHead } from '../parts/page.tsx';

export function NotFound() {
  return (
    <>
      <PageHead title="There is no such page" />
      <p>
        The address leads nowhere. <Link to="/">Go to the overview</Link>, or search with <kbd>/</kbd>.
      </p>
    </>
  );
}
