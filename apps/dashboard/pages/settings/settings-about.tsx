import { useStatus } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { countText, When } from '../../parts/text/format.tsx';
import { EmptyState, Facts, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

export function AboutTab() {
  const { data, error, refetch } = useStatus();
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  return (
    <>
      <Section title="This installation">
        <Facts
          facts={[
            ['Version of the API', data.version],
            ['Licence', 'Apache-2.0'],
            [
              'Documentation of the API',
              <a key="docs" href="/docs">
                /docs
              </a>,
            ],
            [
              'OpenAPI document',
              <a key="openapi" href="/openapi.json">
                /openapi.json
              </a>,
            ],
            [
              'Events of workers',
              `${countText(data.events.applied)} applied, ${countText(data.events.dropped)} dropped`,
            ],
            ...Object.entries(data.components).map(
              ([name, { status, message }]) =>
                [name, <StateMark key={name} state={status} note={message ?? undefined} />] as const,
            ),
          ]}
        />
      </Section>
      <Section title="Recent notices of workers">
        <DataTable
          caption="Recent notices of workers"
          rows={data.notices}
          idOf={({ at, host, notice, path }) => `${at} ${host} ${notice} ${path}`}
          empty={<EmptyState title="No worker has told of anything unusual." />}
          columns={[
            { key: 'at', head: 'When', cell: ({ at }) => <When at={at} /> },
            { key: 'host', head: 'Host', cell: ({ host }) => host ?? 'the pool' },
            { key: 'notice', head: 'Notice', cell: ({ notice }) => notice.replaceAll('_', ' ') },
            { key: 'message', head: 'Message', cell: ({ message }) => message },
          ]}
        />
      </Section>
    </>
  );
}
