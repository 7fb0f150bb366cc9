import { useState } from 'react';
import { Link } from 'react-router';
import type { ModelDetail } from '#contracts/http/models';
import { api } from '../data/api.ts';
import { useMay } from '../data/session/session.ts';
import { CommandLine } from './text/copy.tsx';
import { ActButton } from './dialogs.tsx';
import { Icon } from './text/icon.tsx';

/** Asks what shall become of a newer version; nothing is fetched before an answer, and "not now" asks again at the next visit. */
export function NewerVersion({ model }: { readonly model: ModelDetail }) {
  const [isLater, setLater] = useState(false);
  const mayWrite = useMay('write');
  const { name, newerVersion, currentVersion, versions } = model;
  if (newerVersion === null || isLater) return null;
  const isPublished = versions.some(({ version }) => version === newerVersion);
  return (
    <section className="notice" aria-label="Newer version">
      <span className="row tone-warn">
        <Icon name="warn" />
        <strong>A newer version was seen: {newerVersion}</strong>
      </span>
      <span>Hosts stay on {currentVersion ?? 'what they have'} until you decide.</span>
      {mayWrite && (
        <span className="row">
          {isPublished && (
            <Link
              className="button"
              to={`/rollouts/new?model=${encodeURIComponent(name)}&version=${encodeURIComponent(newerVersion)}&canary=1`}
            >
              Roll it out in stages
            </Link>
          )}
          {currentVersion !== null && (
            <ActButton label={`Stay on ${currentVersion}`} act={() => api.pinModel(name, currentVersion)} />
          )}
          <button type="button" onClick={() => setLater(true)}>
            Not now
          </button>
        </span>
      )}
      {!isPublished && (
        <div style={{ flexBasis: '100%' }}>
          <p className="faint">
            It is not published here yet. Where the model comes from a hub, this does it; then roll it out:
          </p>
          <CommandLine text={`haulier model add ${name} --hf OWNER/NAME@${newerVersion}`} />
        </div>
      )}
    </section>
  );
}
