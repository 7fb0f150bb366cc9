import { useRef, useState, type ReactNode } from 'react';
import { several } from '../text/format.tsx';

export interface Column<Row> {
  readonly key: string;
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  readonly isNumber?: boolean;
  /** Left out on narrow screens. */
  readonly isExtra?: boolean;
}

export interface Selection {
  readonly chosen: ReadonlySet<string>;
  readonly choose: (chosen: ReadonlySet<string>) => void;
}

export interface DataTableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly idOf: (row: Row) => string;
  readonly selection?: Selection | undefined;
  readonly empty?: ReactNode;
}

/**
 * A table whose first column leads to the thing. While the pointer or the focus is in it, rows keep their places: new ones wait behind a
 * button, and what is shown is still brought up to date.
 */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { caption, columns, idOf, selection, empty } = props;
  const held = useHeldRows(props.rows, idOf);
  if (props.rows.length === 0 && empty !== undefined) return <>{empty}</>;
  return (
    <div className="table-box" role="region" aria-label={`Table: ${caption}`} tabIndex={0} {...held.events}>
      {held.waiting > 0 && (
        <button type="button" className="new-rows" onClick={held.release}>
          Show {several(held.waiting, 'new row')}
        </button>
      )}
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {selection !== undefined && <SelectAll rows={held.rows.map(idOf)} selection={selection} />}
            {columns.map(({ key, head, isNumber, isExtra }) => (
              <th key={key} scope="col" className={classOf(isNumber, isExtra)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {held.rows.map((row) => (
            <TableRow key={idOf(row)} row={row} id={idOf(row)} columns={columns} selection={selection} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const classOf = (isNumber = false, isExtra = false): string =>
  `${isNumber ? 'number' : ''} ${isExtra ? 'extra' : ''}`.trim();

function TableRow<Row>(props: {
  readonly row: Row;
  readonly id: string;
  readonly columns: readonly Column<Row>[];
  readonly selection: Selection | undefined;
}) {
  const { row, id, columns, selection } = props;
  return (
    <tr>
      {selection !== undefined && (
        <td className="pick">
          <input
            type="checkbox"
            aria-label={`Select ${id}`}
            checked={selection.chosen.has(id)}
            onChange={({ target }) => selection.choose(withOrWithout(selection.chosen, [id], target.checked))}
          />
        </td>
      )}
      {columns.map(({ key, cell, isNumber, isExtra }, index) =>
        index === 0 ? (
          <th key={key} scope="row" className={classOf(isNumber, isExtra)}>
            {cell(row)}
          </th>
        ) : (
          <td key={key} className={classOf(isNumber, isExtra)}>
            {cell(row)}
          </td>
        ),
      )}
    </tr>
  );
}

function SelectAll({ rows, selection }: { readonly rows: readonly string[]; readonly selection: Selection }) {
  const all = rows.length > 0 && rows.every((id) => selection.chosen.has(id));
  return (
    <th scope="col" className="pick">
      <input
        type="checkbox"
        aria-label="Select the rows on this page"
        checked={all}
        onChange={({ target }) => selection.choose(withOrWithout(selection.chosen, rows, target.checked))}
      />
    </th>
  );
}

function withOrWithout(chosen: ReadonlySet<string>, ids: readonly string[], isIn: boolean): ReadonlySet<string> {
  const next = new Set(chosen);
  for (const id of ids) {
    if (isIn) next.add(id);
    else next.delete(id);
  }
  return next;
}

function useHeldRows<Row>(rows: readonly Row[], idOf: (row: Row) => string) {
  const [order, setOrder] = useState<readonly string[]>();
  const inside = useRef(new Set<'pointer' | 'focus'>());
  const hold = (by: 'pointer' | 'focus') => {
    inside.current.add(by);
    setOrder((before) => before ?? rows.map(idOf));
  };
  const leave = (by: 'pointer' | 'focus') => {
    inside.current.delete(by);
    if (inside.current.size === 0) setOrder(undefined);
  };
  const byId = new Map(rows.map((row) => [idOf(row), row]));
  const kept = order?.flatMap((id) => (byId.has(id) ? [byId.get(id)!] : []));
  // Another page or filter shares no row with what was held.
  const shown = kept === undefined || (kept.length === 0 && rows.length > 0) ? rows : kept;
  return {
    rows: shown,
    waiting: rows.length - shown.length,
    release: () => setOrder(rows.map(idOf)),
    events: {
      onPointerEnter: () => hold('pointer'),
      onPointerLeave: () => leave('pointer'),
      onFocus: () => hold('focus'),
      onBlur: ({ currentTarget, relatedTarget }: React.FocusEvent) => {
        if (!currentTarget.contains(relatedTarget)) leave('focus');
      },
    },
  };
}
