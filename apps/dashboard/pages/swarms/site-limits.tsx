import { useState } from 'react';
import type { Site } from '#contracts/http/sites';
import { messageOf } from '#core/error-facts';
import { parseBytes } from '#core/units';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { ConfirmButton, DialogForm, FormDialog, useAct } from '../../parts/dialogs.tsx';
import { TextField } from '../../parts/fields.tsx';
import { EmptyState } from '../../parts/page.tsx';
import type { Column } from '../../parts/tables/data-table.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { countText, rateText, When } from '../../parts/text/format.tsx';

/** How fast bytes may enter each site. */
export function SiteLimits() {
  const list = useLive(['hosts', 'sites'], () => api.listSites());
  const mayWrite = useMay('write');
  return (
    <ListSection
      title="Limits of sites"
      lead="How fast bytes may enter a site from servers and other sites. What its hosts give each other does not count."
      list={list}
      caption="Sites, by name"
      idOf={({ site }) => site}
      columns={mayWrite ? [...COLUMNS, { key: 'act', head: 'Change', cell: (row) => <Actions row={row} /> }] : COLUMNS}
      empty={
        <EmptyState title="No host has a site yet." line="haulier host label gpu-001 site=eu-1">
          The label “site” of a host names where it stands.
        </EmptyState>
      }
    />
  );
}

const COLUMNS: readonly Column<Site>[] = [
  { key: 'site', head: 'Site', cell: ({ site }) => site },
  {
    key: 'hosts',
    head: 'Hosts online',
    isNumber: true,
    isExtra: true,
    cell: ({ hosts, onlineHosts }) => `${countText(onlineHosts)} of ${countText(hosts)}`,
  },
  {
    key: 'limit',
    head: 'Limit',
    isNumber: true,
    cell: ({ limit }) => (limit === null ? 'none' : rateText(limit.bytesPerSecond)),
  },
  {
    key: 'set',
    head: 'Set',
    isExtra: true,
    cell: ({ limit }) =>
      limit === null ? (
        '–'
      ) : (
        <>
          by {limit.setBy} <When at={limit.setAt} />
        </>
      ),
  },
];

const Actions = ({ row: { site, limit } }: { readonly row: Site }) => (
  <span className="row">
    <FormDialog open="Set limit" title={`Set limit of ${site}?`}>
      {(close) => <LimitForm site={site} close={close} />}
    </FormDialog>
    {limit !== null && (
      <ConfirmButton
        verb="Remove limit"
        subject={`of ${site}`}
        consequence="Its hosts fetch from outside as fast as they can, within a few seconds."
        act={() => api.dropSiteLimit(site)}
      />
    )}
  </span>
);

function LimitForm({ site, close }: { readonly site: string; readonly close: () => void }) {
  const [text, setText] = useState('');
  const act = useAct(async () => api.setSiteLimit(site, { bytesPerSecond: bytesPerSecondOf(text) }), close);
  return (
    <DialogForm verb="Set limit" act={act} close={close}>
      <p>
        Hosts of the site that fetch from outside get equal parts of it within a few seconds. Downloads that run become
        slower where they are faster now.
      </p>
      <TextField label="Bytes per second" value={text} change={setText} placeholder="25MB" required />
    </DialogForm>
  );
}

/** @throws RangeError that names the field, the value and the accepted form */
function bytesPerSecondOf(text: string): number {
  try {
    return parseBytes(text.replace(/\/s$/, ''));
  } catch (error) {
    throw new RangeError(`Bytes per second: ${messageOf(error)}`, { cause: error });
  }
}
