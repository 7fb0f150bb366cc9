import { useMay, useSession } from '../../data/session/session.ts';
import { PageHead, Skeleton } from '../../parts/page.tsx';
import { Tabs, useTab } from '../../parts/tabs.tsx';
import { AboutTab } from './settings-about.tsx';
import { AccountTab } from './settings-account.tsx';
import { EnrolmentTab } from './settings-enrolment.tsx';
import { TokensTab } from './settings-tokens.tsx';
import { UsersTab } from './settings-users.tsx';
import { WebhooksTab } from './settings-webhooks.tsx';

const OF_ALL = [
  { key: 'account', label: 'Your account' },
  { key: 'about', label: 'About' },
] as const;
const OF_ADMINS = [
  { key: 'tokens', label: 'Tokens' },
  { key: 'users', label: 'Users' },
  { key: 'webhooks', label: 'Webhooks' },
  { key: 'enrolment', label: 'Enrolment' },
] as const;

export function Settings() {
  const session = useSession();
  const isAdmin = useMay('admin');
  const tabs = isAdmin ? [...OF_ADMINS, ...OF_ALL] : OF_ALL;
  const tab = useTab(tabs);
  return (
    <>
      <PageHead title="Settings" />
      {session.state === 'loading' ? <Skeleton /> : <Tabs tabs={tabs} label="Settings" />}
      {tab === 'tokens' && <TokensTab />}
      {tab === 'users' && <UsersTab />}
      {tab === 'webhooks' && <WebhooksTab />}
      {tab === 'enrolment' && <EnrolmentTab />}
      {tab === 'account' && session.state === 'signed-in' && <AccountTab me={session.me} />}
      {tab === 'about' && <AboutTab />}
    </>
  );
}
