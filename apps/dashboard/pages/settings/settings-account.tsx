import { useState, type FormEvent } from 'react';
import { isUser } from '../../data/session/session.ts';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import type { Me } from '#contracts/http/access/session';
import { ConfirmButton, useAct } from '../../parts/dialogs.tsx';
import { TextField } from '../../parts/fields.tsx';
import { ListSection } from '../../parts/tables/list-section.tsx';
import { When } from '../../parts/text/format.tsx';
import { Facts, Section } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

export function AccountTab({ me }: { readonly me: Me }) {
  return (
    <>
      <Section title="Who you are">
        <Facts
          facts={[
            ['Name', me.name],
            ['You may', me.scopes.join(', ')],
            ['Signed in with', isUser(me) ? 'a session of this browser' : 'a token'],
          ]}
        />
      </Section>
      {isUser(me) && <PasswordForm hasPassword={me.hasPassword} />}
      {isUser(me) && <OwnSessions />}
    </>
  );
}

function PasswordForm({ hasPassword }: { readonly hasPassword: boolean }) {
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [isDone, setDone] = useState(false);
  const { run, isBusy, error } = useAct(
    () => api.changePassword({ ...(hasPassword ? { currentPassword: current } : {}), password }),
    () => {
      setDone(true);
      setCurrent('');
      setPassword('');
    },
  );
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <Section title={hasPassword ? 'Change the password' : 'Set a password'}>
      {!hasPassword && (
        <p className="tone-warn">
          You signed in with the link of the first start, which works once. Set a password to sign in again.
        </p>
      )}
      <form className="form" onSubmit={submit}>
        {hasPassword && (
          <TextField
            label="Password until now"
            type="password"
            value={current}
            change={setCurrent}
            required
            autoComplete="current-password"
          />
        )}
        <TextField
          label="New password, at least 10 characters"
          type="password"
          value={password}
          change={setPassword}
          required
          autoComplete="new-password"
        />
        {error !== undefined && <ProblemBox error={error} />}
        <div className="row">
          <button type="submit" className="primary" disabled={isBusy}>
            Save password
          </button>
          <span role="status">{isDone ? 'Saved; other sessions have ended.' : ''}</span>
        </div>
      </form>
    </Section>
  );
}

function OwnSessions() {
  return (
    <ListSection
      title="Where you are signed in"
      list={useLive(['sessions'], () => api.listOwnSessions())}
      caption="Your sessions, newest first"
      idOf={({ id }) => id}
      columns={[
        {
          key: 'agent',
          head: 'Browser',
          cell: ({ userAgent, isCurrent }) => `${userAgent ?? 'unknown'}${isCurrent ? ' (this one)' : ''}`,
        },
        { key: 'ip', head: 'Address', cell: ({ ip }) => ip ?? '–' },
        { key: 'seen', head: 'Last used', cell: ({ lastSeenAt }) => <When at={lastSeenAt} /> },
        { key: 'ends', head: 'Ends', isExtra: true, cell: ({ expiresAt }) => <When at={expiresAt} /> },
        {
          key: 'act',
          head: 'Action',
          cell: ({ id, isCurrent }) =>
            !isCurrent && (
              <ConfirmButton
                verb="End session"
                subject="in that browser"
                consequence="It has to sign in again."
                act={() => api.endOwnSession(id)}
              />
            ),
        },
      ]}
    />
  );
}
