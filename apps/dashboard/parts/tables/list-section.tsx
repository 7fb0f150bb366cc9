import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { FormDialog } from '../dialogs.tsx';
import { Section, Skeleton } from '../page.tsx';
import { ProblemBox } from '../problem.tsx';
import { DataTable, type DataTableProps } from './data-table.tsx';

/** A list under its heading: the button that adds to it, what it is for, and the table once the API has answered. */
export function ListSection<Row>(
  props: Omit<DataTableProps<Row>, 'rows'> & {
    readonly title: string;
    readonly list: Pick<UseQueryResult<readonly Row[]>, 'data' | 'error' | 'refetch'>;
    /** What the button adds, such as `token`, and the form that asks for it. */
    readonly add?: { readonly thing: string; readonly form: (close: () => void) => ReactNode };
    readonly lead?: string;
  },
) {
  const { title, list, add, lead, ...table } = props;
  const { data, error, refetch } = list;
  return (
    <Section
      title={title}
      beside={
        add !== undefined && (
          <FormDialog open={`New ${add.thing}`} className="primary" title={`New ${add.thing}`}>
            {add.form}
          </FormDialog>
        )
      }
    >
      {lead !== undefined && <p className="faint">{lead}</p>}
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? error === null && <Skeleton /> : <DataTable rows={data} {...table} />}
    </Section>
  );
}
