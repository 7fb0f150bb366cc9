import { Link, useSearchParams } from 'react-router';

export interface Tab {
  readonly key: string;
  readonly label: string;
}

/** Views of one page as links, so that each has an address. */
export function Tabs({ tabs, label }: { readonly tabs: readonly Tab[]; readonly label: string }) {
  const [query] = useSearchParams();
  const current = useTab(tabs);
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map(({ key, label: text }, index) => {
        const next = new URLSearchParams(query);
        next.delete('cursor');
        if (index === 0) next.delete('tab');
        else next.set('tab', key);
        return (
          <Link key={key} to={{ search: next.toString() }} aria-current={key === current ? 'page' : undefined} replace>
            {text}
          </Link>
        );
      })}
    </nav>
  );
}

/** The first tab where the address names none that exists. */
export function useTab(tabs: readonly Tab[]): string {
  const [query] = useSearchParams();
  const wanted = query.get('tab');
  return (tabs.find(({ key }) => key === wanted) ?? tabs[0]!).key;
}
