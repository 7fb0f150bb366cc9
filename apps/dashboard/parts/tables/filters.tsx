import { Combobox } from '@base-ui/react/combobox';
import { Menu } from '@base-ui/react/menu';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { Icon } from '../text/icon.tsx';
import { CopyButton } from '../text/copy.tsx';
import { useSavedViews } from '../../data/saved-views.ts';
import { wordOf } from '../marks/state-mark.tsx';

/** One thing that a list can be filtered by. Several values mean one of them; several filters mean all of them. */
export interface FilterKey {
  readonly key: string;
  readonly label: string;
  readonly values?: readonly string[] | undefined;
  /** A text that need not be one of the values. */
  readonly isFree?: boolean;
  /** At most one value. */
  readonly isSingle?: boolean;
}

/** All filters of a page live in its address. */
export function useFilters() {
  const [query, setQuery] = useSearchParams();
  const change = (key: string, values: readonly string[]): void => {
    setQuery((before) => {
      const after = new URLSearchParams(before);
      after.delete('cursor');
      if (values.length === 0) after.delete(key);
      else after.set(key, values.join(','));
      return after;
    });
  };
  return {
    query,
    valuesOf: (key: string): readonly string[] => query.get(key)?.split(',').filter(Boolean) ?? [],
    textOf: (key: string): string | undefined => query.get(key) ?? undefined,
    change,
    clear: () => setQuery({}),
  };
}

/** Chips for the filters that are set, and a box for each that can be. */
export function FilterBar(props: {
  readonly keys: readonly FilterKey[];
  readonly page: string;
  readonly count: string;
  readonly views?: readonly SavedView[];
}) {
  const { keys, page, count, views = [] } = props;
  const filters = useFilters();
  const set = keys.flatMap((key) => filters.valuesOf(key.key).map((value) => ({ ...key, value })));
  return (
    <div className="filters" role="search" aria-label={`Filter ${page}`}>
      <div className="filter-boxes">
        {keys.map((key) => (
          <FilterBox key={key.key} filter={key} />
        ))}
        <ViewMenu page={page} given={views} />
      </div>
      <div className="chips">
        {set.map(({ key, label, value }) => (
          <button
            key={`${key} ${value}`}
            type="button"
            className="chip"
            onClick={() =>
              filters.change(
                key,
                filters.valuesOf(key).filter((other) => other !== value),
              )
            }
            aria-label={`Remove the filter ${label} is ${value}`}
          >
            {label} = {wordOf(value)} <Icon name="close" />
          </button>
        ))}
        <span className="faint" role="status">
          {count}
        </span>
        {set.length > 0 && (
          <>
            <button type="button" className="quiet" onClick={filters.clear}>
              Clear
            </button>
            <CopyButton text={globalThis.location.href} what="the link to this view" />
          </>
        )}
      </div>
    </div>
  );
}

/** A combobox of known values, which a free one extends by what is typed. */
function FilterBox({ filter }: { readonly filter: FilterKey }) {
  const { key, label, values = [], isFree = false, isSingle = false } = filter;
  const { valuesOf, change } = useFilters();
  const [typed, setTyped] = useState('');
  const chosen = valuesOf(key);
  const add = (value: string): void => {
    setTyped('');
    change(key, isSingle ? [value] : [...new Set([...chosen, value])]);
  };
  const offered = values.filter((value) => !chosen.includes(value));
  const items = isFree && typed !== '' && !offered.includes(typed) ? [typed, ...offered] : offered;
  return (
    <Combobox.Root
      items={items}
      value={null as string | null}
      inputValue={typed}
      onInputValueChange={setTyped}
      onValueChange={(value) => {
        if (value !== null) add(value);
      }}
      itemToStringLabel={wordOf}
      autoHighlight
    >
      <Combobox.Input className="box" placeholder={label} aria-label={`Filter by ${label}`} />
      <Combobox.Portal>
        <Combobox.Positioner sideOffset={4} className="layer">
          <Combobox.Popup className="popup">
            <Combobox.Empty className="popup-empty">Nothing matches.</Combobox.Empty>
            <Combobox.List>
              {(item: string) => (
                <Combobox.Item key={item} value={item} className="popup-item">
                  {wordOf(item)}
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}

export interface SavedView {
  readonly name: string;
  /** The query of the address. */
  readonly query: string;
}

/** Views that come with a page, and those that this browser keeps. */
function ViewMenu({ page, given }: { readonly page: string; readonly given: readonly SavedView[] }) {
  const [query, setQuery] = useSearchParams();
  const { views, save, remove } = useSavedViews(page);
  const [name, setName] = useState('');
  return (
    <Menu.Root>
      <Menu.Trigger className="quiet">Views</Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} className="layer">
          <Menu.Popup className="popup">
            {[...given, ...views].map((view) => (
              <Menu.Item key={view.name} className="popup-item" onClick={() => setQuery(view.query)}>
                {view.name}
              </Menu.Item>
            ))}
            {views.map((view) => (
              <Menu.Item key={`remove ${view.name}`} className="popup-item faint" onClick={() => remove(view.name)}>
                Forget “{view.name}”
              </Menu.Item>
            ))}
            <form
              className="popup-form"
              onKeyDown={(event) => event.stopPropagation()}
              onSubmit={(event) => {
                event.preventDefault();
                if (name.trim() === '') return;
                save({ name: name.trim(), query: query.toString() });
                setName('');
              }}
            >
              <input
                className="box"
                aria-label="Name of the view"
                placeholder="Save this view as…"
                value={name}
                onChange={({ target }) => setName(target.value)}
              />
            </form>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
