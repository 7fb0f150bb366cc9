import { useFilters } from './filters.tsx';
import { countText } from '../text/format.tsx';

/** Values of a filter with how many things have each. @param props.prefix before the value in the address */
export function Facet(props: {
  readonly name: string;
  readonly filter: string;
  readonly prefix?: string;
  readonly isSingle?: boolean;
  readonly counts: Readonly<Record<string, number>>;
}) {
  const { name, filter, prefix = '', isSingle = false, counts } = props;
  const { valuesOf, change } = useFilters();
  const chosen = valuesOf(filter);
  const values = Object.entries(counts).sort(([, a], [, b]) => b - a);
  if (values.length === 0) return null;
  const toggle = (value: string): void =>
    change(
      filter,
      chosen.includes(value) ? chosen.filter((other) => other !== value) : [...(isSingle ? [] : chosen), value],
    );
  return (
    <section aria-label={name}>
      <h2>{name}</h2>
      <ul>
        {values.map(([value, count]) => (
          <li key={value}>
            <button type="button" aria-pressed={chosen.includes(prefix + value)} onClick={() => toggle(prefix + value)}>
              <span>{value}</span> <span className="faint">{countText(count)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
