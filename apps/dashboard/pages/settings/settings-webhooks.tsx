import { useState } from 'react';
import type { Webhook } from '#contracts/http/webhooks';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { ActButton, ConfirmButton, DialogForm, useAct } from '../../parts/dialogs.tsx';
import { commaWords, TextField } from '../../parts/fields.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { EmptyState } from '../../parts/page.tsx';
import { useFilters } from '../../parts/tables/filters.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { countText, When } from '../../parts/text/format.tsx';
import { SecretOnce } from '../../parts/text/secret-once.tsx';

export function WebhooksTab() {
  const list = useLive(['webhooks'], () => api.listWebhooks());
  const { textOf, change } = useFilters();
  const shown = textOf('webhook');
  return (
    <>
      <ListSection
        title="Webhooks"
        list={list}
        add={{ thing: 'webhook', form: (close) => <WebhookForm close={close} /> }}
        caption="Webhooks"
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
  const act = useAct(
    () => api.createWebhook({ url, events: commaWords(events) }),
    (made) => setSecret(made.secret),
  );
  if (secret !== undefined)
    return <SecretOnce secret={secret} what="the secret that signs the messages" close={close} />;
  return (
    <DialogForm verb="Create webhook" act={act} close={close}>
      <TextField
        label="Endpoint"
        type="url"
        value={url}
        change={setUrl}
        required
        placeholder="https://ci.example/hooks/haulier"
      />
      <TextField
        label="Events, separated by commas"
        value={events}
        change={setEvents}
        required
        placeholder="rollout.*, host.offline"
      />
    </DialogForm>
  );
}

function Deliveries({ id }: { readonly id: string }) {
  const list = useLive(['webhooks', id, 'deliveries'], async () => (await api.listWebhookDeliveries(id)).deliveries);
  return (
    <ListSection
      title="Deliveries"
      list={list}
      caption="Deliveries, newest first"
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
  );
}
