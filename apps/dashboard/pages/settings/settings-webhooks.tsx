import { useState, type FormEvent } from 'react';
import { useFilters } from '../../parts/tables/filters.tsx';
import type { Webhook } from '#contracts/http/webhooks';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { ActButton, ConfirmButton, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { countText, When } from '../../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

export function WebhooksTab() {
  const { data, error, refetch } = useLive(['webhooks'], () => api.listWebhooks());
  const { textOf, change } = useFilters();
  const shown = textOf('webhook');
  return (
    <>
      <Section
        title="Webhooks"
        beside={
          <FormDialog open="New webhook" className="primary" title="New webhook">
            {(close) => <WebhookForm close={close} />}
          </FormDialog>
        }
      >
        {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
        {data === undefined ? (
          error === null && <Skeleton />
        ) : (
          <DataTable
            caption="Webhooks"
            rows={data}
            idOf={({ id }) => id}
            empty={
              <EmptyState
                title="Nothing is told to another system yet."
                line="haulier webhook create https://ci.example/hooks/haulier --event 'rollout.*'"
              />
            }
            columns={[
              {
                key: 'url',
                head: 'Endpoint',
                cell: ({ id, url }) => (
                  <button
                    type="button"
                    className="quiet"
                    aria-pressed={shown === id}
                    onClick={() => change('webhook', [id])}
                  >
                    {url}
                  </button>
                ),
              },
              {
                key: 'state',
                head: 'State',
                cell: ({ enabled, disabledReason }) => (
                  <StateMark state={enabled ? 'enabled' : 'disabled'} note={disabledReason ?? undefined} />
                ),
              },
              { key: 'events', head: 'Events', isExtra: true, cell: ({ events }) => events.join(', ') },
              { key: 'pending', head: 'Wait', isNumber: true, cell: ({ pending }) => countText(pending) },
              {
                key: 'success',
                head: 'Last success',
                isExtra: true,
                cell: ({ lastSuccessAt }) => <When at={lastSuccessAt} />,
              },
              { key: 'act', head: 'Action', cell: (webhook) => <WebhookActions webhook={webhook} /> },
            ]}
          />
        )}
      </Section>
      {shown !== undefined && <Deliveries id={shown} />}
    </>
  );
}

function WebhookActions({ webhook: { id, url, enabled } }: { readonly webhook: Webhook }) {
  return (
    <span className="row">
      <ActButton label="Send a test" act={() => api.testWebhook(id)} />
      <ActButton label={enabled ? 'Disable' : 'Enable'} act={() => api.changeWebhook(id, { enabled: !enabled })} />
      <ConfirmButton
        verb="Delete"
        subject={url}
        isDangerous
        consequence="What waits for it is thrown away with it."
        act={() => api.deleteWebhook(id)}
      />
    </span>
  );
}

function WebhookForm({ close }: { readonly close: () => void }) {
  const [url, setUrl] = useState('');
  const [events, setEvents] = useState('*');
  const [secret, setSecret] = useState<string>();
  const { run, isBusy, error } = useAct(
    () =>
      api.createWebhook({
        url,
        events: events
          .split(',')
          .map((event) => event.trim())
          .filter(Boolean),
      }),
    (made) => setSecret(made.secret),
  );
  if (secret !== undefined)
    return <SecretOnce secret={secret} what="the secret that signs the messages" close={close} />;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <form className="form" onSubmit={submit}>
      <label>
        Endpoint
        <input
          className="box"
          type="url"
          value={url}
          required
          placeholder="https://ci.example/hooks/haulier"
          onChange={({ target }) => setUrl(target.value)}
        />
      </label>
      <label>
        Events, separated by commas
        <input
          className="box"
          value={events}
          required
          placeholder="rollout.*, host.offline"
          onChange={({ target }) => setEvents(target.value)}
        />
      </label>
      {error !== undefined && <ProblemBox error={error} />}
      <div className="dialog-actions">
        <button type="button" onClick={close}>
          Back
        </button>
        <button type="submit" className="primary" disabled={isBusy}>
          Create webhook
        </button>
      </div>
    </form>
  );
}

function Deliveries({ id }: { readonly id: string }) {
  const { data, error } = useLive(['webhooks', id, 'deliveries'], () => api.listWebhookDeliveries(id));
  if (data === undefined) return error === null ? <Skeleton /> : <ProblemBox error={error} />;
  return (
    <Section title="Deliveries">
      <DataTable
        caption="Deliveries, newest first"
        rows={data.deliveries}
        idOf={(delivery) => delivery.id}
        empty={<EmptyState title="Nothing has been sent to it yet." />}
        columns={[
          { key: 'type', head: 'Message', cell: ({ type }) => type },
          { key: 'state', head: 'State', cell: ({ state }) => <StateMark state={state} /> },
          { key: 'attempts', head: 'Attempts', isNumber: true, cell: ({ attempts }) => countText(attempts) },
          { key: 'last', head: 'Last answer', cell: ({ tries }) => tries.at(-1)?.error ?? tries.at(-1)?.status ?? '–' },
          { key: 'at', head: 'When', cell: ({ at }) => <When at={at} /> },
          {
            key: 'act',
            head: 'Action',
            cell: (delivery) => <ActButton label="Replay" act={() => api.replayWebhookDelivery(id, delivery.id)} />,
          },
        ]}
      />
    </Section>
  );
}
