import { useMemo, useState } from 'react';
import type { AuditEntry } from '#contracts/http/access/audit';
import { parseDuration } from '#core/units';
import { api } from '../data/api.ts';
import { AUDIT_FORMATS, auditFile, type AuditFormat } from '../data/export/audit-export.ts';
import { useLive } from '../data/queries.ts';
import { DataTable } from '../parts/tables/data-table.tsx';
import { FormDialog, useAct } from '../parts/dialogs.tsx';
import { FilterBar, useFilters } from '../parts/tables/filters.tsx';
import { countText, several, When } from '../parts/text/format.tsx';
import { EmptyState, Facts, PageHead, Skeleton } from '../parts/page.tsx';
import { Pages } from '../parts/tables/pages.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { StateMark } from '../parts/marks/state-mark.tsx';

type AuditFilter = NonNullable<Parameters<typeof api.listAudit>[0]>;

const WINDOWS = ['1h', '24h', '7d', '30d'] as const;
/** Entries that are asked for at once for a file. */
const EXPORT_PAGE = 500;

const words = (text: string): string[] => (text === '' ? [] : [text]);

/** @returns the start of the window as it was when the window was chosen, so that pages of the list fit together */
function useStart(window: string): string | undefined {
  return useMemo(() => {
    const known = WINDOWS.find((each) => each === window);
    return known === undefined ? undefined : new Date(Date.now() - parseDuration(known)).toISOString();
  }, [window]);
}

export function Audit() {
  const { textOf, change } = useFilters();
  const window = textOf('window') ?? '';
  const filter = {
    ...{ actor: textOf('actor'), action: textOf('action'), target: textOf('target'), result: textOf('result') },
    since: useStart(window),
  };
  const page = { ...filter, cursor: textOf('cursor') };
  const { data, error, refetch } = useLive(['audit', page], () => api.listAudit(page));
  return (
    <>
      <PageHead
        title="Audit"
        lead="Every write, by whom, and what came of it. Entries are never changed."
        actions={
          <>
            <label className="inline">
              Since
              <select className="box" value={window} onChange={({ target }) => change('window', words(target.value))}>
                <option value="">ever</option>
                {WINDOWS.map((each) => (
                  <option key={each} value={each}>
                    last {each}
                  </option>
                ))}
              </select>
            </label>
            <Export filter={filter} />
          </>
        }
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
    <span className="row whole">
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

const FORMAT_NAMES: Readonly<Record<AuditFormat, string>> = { csv: 'CSV', ndjson: 'JSON lines' };

/** Makes a file of every entry that the filter matches, on all pages. */
function Export({ filter }: { readonly filter: AuditFilter }) {
  const [read, setRead] = useState<number>();
  const { run, isBusy, error } = useAct(async () => {
    const file = await auditFile((cursor) => api.listAudit({ ...filter, cursor, limit: EXPORT_PAGE }), format, setRead);
    save(file, `audit.${format}`);
    setRead(undefined);
  });
  const [format, setFormat] = useState<AuditFormat>('csv');
  return (
    <span className="row">
      {read !== undefined && <span role="status">{countText(read)} entries read</span>}
      <select
        className="box"
        aria-label="Format of the file"
        value={format}
        onChange={({ target }) => setFormat(target.value as AuditFormat)}
      >
        {AUDIT_FORMATS.map((each) => (
          <option key={each} value={each}>
            {FORMAT_NAMES[each]}
          </option>
        ))}
      </select>
      <button type="button" disabled={isBusy} onClick={run}>
        Export all that match
      </button>
      {error !== undefined && <ProblemBox error={error} />}
    </span>
  );
}

function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
