import { Suspense, useEffect, useState, type ReactNode } from 'react';
import { SECOND_MS } from '#core/units';

/** A page that never rests shows the rest of itself after so long. */
const AT_LATEST_MS = 2 * SECOND_MS;

/** Shows what is not needed for the first look, such as code that is loaded later, once the browser has nothing more urgent to do. */
export function WhenIdle({ children, fallback }: { readonly children: ReactNode; readonly fallback: ReactNode }) {
  const [isIdle, setIdle] = useState(false);
  useEffect(() => {
    // Not every browser has it.
    if (typeof requestIdleCallback === 'undefined') {
      const timer = setTimeout(() => setIdle(true));
      return () => clearTimeout(timer);
    }
    const waiting = requestIdleCallback(() => setIdle(true), { timeout: AT_LATEST_MS });
    return () => cancelIdleCallback(waiting);
  }, []);
  return isIdle ? <Suspense fallback={fallback}>{children}</Suspense> : fallback;
}
