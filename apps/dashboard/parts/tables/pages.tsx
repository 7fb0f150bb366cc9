import { useSearchParams } from 'react-router';

/** Leads through the pages of a list by cursor; the cursor is part of the address. */
export function Pages({ nextCursor, shown }: { readonly nextCursor: string | null; readonly shown: string }) {
  const [query, setQuery] = useSearchParams();
  const cursor = query.get('cursor');
  const go = (next: string | null): void => {
    setQuery((before) => {
      const after = new URLSearchParams(before);
      if (next === null) after.delete('cursor');
      else after.set('cursor', next);
      return after;
    });
  };
  return (
    <nav className="pages" aria-label="Pages of the list">
      <span className="faint">{shown}</span>
      {cursor !== null && (
        <button type="button" onClick={() => go(null)}>
          First page
        </button>
      )}
      {nextCursor !== null && (
        <button type="button" onClick={() => go(nextCursor)}>
          Next page
        </button>
      )}
    </nav>
  );
}
