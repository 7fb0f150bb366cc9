import { lazy, Suspense } from 'react';
import { Link, NavLink, Outlet, ScrollRestoration, useLocation } from 'react-router';
import { useLiveEvents } from '../data/live.ts';
import type { Me } from '#contracts/http/access/session';
import { isUser, useSession } from '../data/session/session.ts';
import { Icon } from '../parts/text/icon.tsx';
import { Skeleton } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { WhenIdle } from '../parts/when-idle.tsx';
import { LiveDot } from './live-dot.tsx';
import { PLACES, type NavigationPlace } from './navigation.ts';
import { SetupPage, SignInPage } from './sign-in.tsx';

const SIGN_IN_PAGE = '/login';

const SearchBox = lazy(async () => ({ default: (await import('./search-box.tsx')).SearchBox }));
const UserMenu = lazy(async () => ({ default: (await import('./user-menu.tsx')).UserMenu }));

/** Navigation and top bar around every page; the sign-in page without a session. */
export function Frame() {
  const session = useSession();
  useLiveEvents(session.state === 'signed-in');
  const { pathname } = useLocation();
  if (session.state === 'signed-in') return <SignedIn me={session.me} />;
  // The page asks for its data while the session is asked for. The page to sign in may hold a code in its address, and waits.
  if (session.state === 'loading' && session.hadSession && pathname !== SIGN_IN_PAGE)
    return <SignedIn me={undefined} />;
  if (session.state === 'setup') return <SetupPage />;
  if (session.state === 'signed-out') return <SignInPage />;
  return (
    <main className="gate">
      {session.state === 'unreachable' ? (
        <ProblemBox error={session.error} retry={() => globalThis.location.reload()} />
      ) : (
        <Skeleton />
      )}
    </main>
  );
}

/** @param props.me undefined while the session is asked for */
function SignedIn({ me }: { readonly me: Me | undefined }) {
  const { pathname } = useLocation();
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <nav className="places" aria-label="Pages">
        <span className="brand">Haulier</span>
        {PLACES.map((place) => (
          <PlaceLink key={place.to} place={place} />
        ))}
      </nav>
      <header className="top">
        <WhenIdle fallback={<div className="search" />}>
          <SearchBox />
        </WhenIdle>
        <LiveDot />
        {me !== undefined && (
          <WhenIdle fallback={null}>
            <UserMenu me={me} />
          </WhenIdle>
        )}
      </header>
      <main id="main" key={pathname}>
        {me !== undefined && isUser(me) && !me.hasPassword && (
          <p className="notice">
            You signed in with the link of the first start, which works once.{' '}
            <Link to="/settings?tab=account">Set a password</Link> to sign in again.
          </p>
        )}
        <Suspense fallback={<Skeleton lines={8} />}>
          <Outlet />
        </Suspense>
      </main>
      <ScrollRestoration />
    </div>
  );
}

function PlaceLink({ place: { to, label, icon, isOutside = false } }: { readonly place: NavigationPlace }) {
  const inside = (
    <>
      <Icon name={icon} />
      <span>{label}</span>
    </>
  );
  return isOutside ? (
    <a href={to} target="_blank" rel="noreferrer">
      {inside}
      <span aria-hidden="true"> ↗</span>
    </a>
  ) : (
    <NavLink to={to} end={to === '/'}>
      {inside}
    </NavLink>
  );
}
