import { useState } from 'react';
import type { AuditEntry } from '#contracts/http/access/audit';
import { api } from '../data/api.ts';
import { useLive } from '../data/queries.ts';
import { DataTable } from '../parts/tables/data-table.tsx';
import { FormDialog } from '../parts/dialogs.tsx';
import { FilterBar, useFilters } from '../parts/tables/filters.tsx';
import { several, When } from '../parts/text/format.tsx';
import { EmptyState, Facts, PageHead, Skeleton } from '../parts/page.tsx';
import { Pages } from '../parts/tables/pages.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { StateMark } from '../parts/marks/state-mark.tsx';

export function Audit() {
  const { textOf } = useFilters();
  const filter = {
    ...{ actor: textOf('actor'), action: textOf('action'), target: textOf('target'), result: textOf('result') },
    cursor: textOf('cursor'),
  };
  const { data, error, refetch } = useLive(['audit', filter], () => api.listAudit(filter));
  return (
    <>
      <PageHead
        title="Audit"
        lead="Every write, by whom, and what came of it. Entries are never changed."
        actions={data !== undefined && <Export entries={data.entries} />}
      />
      <FilterBar
        page="audit"
        keys={[
          {
            key: 'actor',
            label: 'By',
            values: [...new Set(data?.entries.map(({ actor }) => actor))],
            isFree: true,
            isSingle: true,
          },
          {
            key: 'action',
            label: 'Action',
            values: [...new Set(data?.entries.map(({ action }) => action))],
            isFree: true,
            isSingle: true,
          },
          { key: 'target', label: 'Target begins with', isFree: true, isSingle: true },
          { key: 'result', label: 'Result', values: ['done', 'unknown'], isFree: true, isSingle: true },
        ]}
        count={
          data === undefined
            ? ''
            : `${several(data.entries.length, 'entry').replace(/entrys$/, 'entries')} on this page`
        }
      />
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton lines={10} />
      ) : (
        <DataTable
          caption="Writes, newest first"
          rows={data.entries}
          idOf={({ sequence }) => String(sequence)}
          empty={<EmptyState title="No write matches." />}
          columns={[
            { key: 'at', head: 'When', cell: (entry) => <Entry entry={entry} /> },
            { key: 'actor', head: 'By', cell: ({ actor }) => actor },
            { key: 'action', head: 'Action', cell: ({ action }) => action },
            { key: 'target', head: 'Target', cell: ({ target }) => target ?? '–' },
            { key: 'result', head: 'Result', cell: ({ result }) => <StateMark state={result} /> },
            { key: 'ip', head: 'Address', isExtra: true, cell: ({ ip }) => ip ?? '–' },
            {
              key: 'request',
              head: 'Request',
              isExtra: true,
              cell: ({ requestId }) => <code>{requestId?.slice(0, 8)}</code>,
            },
          ]}
        />
      )}
      {data !== undefined && <Pages nextCursor={data.nextCursor} shown="" />}
    </>
  );
}

function Entry({ entry }: { readonly entry: AuditEntry }) {
  return (
    <span className="row">
      <When at={entry.at} />
      <FormDialog open="Details" className="quiet" title={`${entry.action} by ${entry.actor}`}>
        {(close) => (
          <div className="form">
            <Facts
              facts={[
                ['When', entry.at],
                ['Request', `${entry.method ?? ''} ${entry.path ?? ''}`],
                ['Request id', entry.requestId ?? '–'],
                ['Status', String(entry.status ?? '–')],
              ]}
            />
            {(['request', 'before', 'after'] as const).map(
              (part) => entry[part] !== null && <JsonBlock key={part} name={part} value={entry[part]} />,
            )}
            <div className="dialog-actions">
              <button type="button" onClick={close}>
                Back
              </button>
            </div>
          </div>
        )}
      </FormDialog>
    </span>
  );
}

function JsonBlock({ name, value }: { readonly name: string; readonly value: unknown }) {
  const [text] = useState(() => JSON.stringify(value, null, 2));
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      <pre tabIndex={0}>{text}</pre>
    </section>
  );
}

function Export({ entries }: { readonly entries: readonly AuditEntry[] }) {
  const lines = entries.map((entry) => JSON.stringify(entry)).join('\n');
  return (
    <a href={`data:application/x-ndjson;charset=utf-8,${encodeURIComponent(`${lines}\n`)}`} download="audit.ndjson">
      Export this page
    </a>
  );
}
