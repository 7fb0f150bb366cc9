import { Autocomplete } from '@base-ui/react/autocomplete';
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useEffect, useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import { findThings, type Found } from '../data/search.ts';
import { Icon } from '../parts/text/icon.tsx';

/** Finds hosts, models, rollouts and downloads; `/` leads to it. */
export function SearchBox() {
  const [text, setText] = useState('');
  const wanted = useDeferredValue(text.trim());
  const input = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  useSlash(() => input.current?.focus());
  const { data = [], isFetching } = useQuery({
    queryKey: ['search', wanted],
    queryFn: () => findThings(wanted),
    enabled: wanted !== '',
  });
  const items = wanted === '' ? [] : data;
  const open = (found: Found): void => {
    setText('');
    input.current?.blur();
    void navigate(found.to);
  };
  return (
    <div className="search">
      <Icon name="search" />
      <Autocomplete.Root
        items={items}
        value={text}
        onValueChange={setText}
        itemToStringValue={({ label }: Found) => label}
        filter={null}
        autoHighlight
        openOnInputClick={false}
      >
        <Autocomplete.Input
          ref={input}
          className="box"
          placeholder="Search  /"
          aria-label="Search hosts, models, rollouts, downloads"
          onKeyDown={(event) => {
            // Items that came later than the last letter are not highlighted.
            const [first] = items;
            if (event.key !== 'Enter' || first === undefined || isHighlighting(event.currentTarget)) return;
            event.preventDefault();
            open(first);
          }}
        />
        <Autocomplete.Portal>
          <Autocomplete.Positioner sideOffset={6} className="layer">
            <Autocomplete.Popup className="popup">
              <Autocomplete.Empty className="popup-empty">
                {wanted === ''
                  ? ''
                  : isFetching
                    ? 'Searching…'
                    : 'Nothing found: a name, a whole id, or the beginning of a SHA-256.'}
              </Autocomplete.Empty>
              <Autocomplete.List>
                {(found: Found) => (
                  <Autocomplete.Item key={found.to} value={found} className="popup-item" onClick={() => open(found)}>
                    <span>{found.label}</span>
                    <span className="faint">{found.kind}</span>
                  </Autocomplete.Item>
                )}
              </Autocomplete.List>
            </Autocomplete.Popup>
          </Autocomplete.Positioner>
        </Autocomplete.Portal>
      </Autocomplete.Root>
    </div>
  );
}

const isHighlighting = (input: HTMLInputElement): boolean => input.hasAttribute('aria-activedescendant');

/** `/` means the search, except in a field. */
function useSlash(act: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { target } = event;
      const isTyping =
        target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [act]);
}
